import Archive
import Crypto
import FoundationEssentials
package import HTTP1
import System

/// `GET /`: the status for people, whole without a script.
package struct StatusPage {
  package static let mediaType = "text/html; charset=utf-8"

  let report: StatusReport
  /// The page's own URL as far as the request tells, for the command lines: it ends in a slash.
  let base: String
  /// The user that a proxy has asked for a password, for the command lines; nil if none.
  let user: String?
  /// The first database that is shown.
  let first: Int

  package init(_ report: StatusReport, base: String, user: String?, first: Int) {
    self.report = report
    self.base = base
    self.user = user
    self.first = first
  }

  /// Nothing from elsewhere, and of what is here only the one style and the one script, by their hashes.
  ///
  /// https://www.w3.org/TR/CSP3/
  package static let fields: [FieldLine] = [
    FieldLine(
      name: "Content-Security-Policy",
      value: "\(policy(script: PageScript.text)); connect-src 'self'; frame-ancestors 'none'"),
    FieldLine(name: "X-Content-Type-Options", value: "nosniff"),
    FieldLine(name: "Referrer-Policy", value: "no-referrer"),
  ]

  /// What a page of this program may load, but for what only a header field can say.
  ///
  /// - Parameter script: that it has in it; nil for none.
  static func policy(script: String?) -> String {
    "default-src 'none'; style-src '\(hash(PageStyle.text))'; "
      + (script.map { "script-src '\(hash($0))'; " } ?? "")
      + "img-src data:; base-uri 'none'; form-action 'none'"
  }

  private static func hash(_ text: String) -> String {
    "sha256-\(Data(SHA256.hash(data: Array(text.utf8))).base64EncodedString())"
  }

  package var content: [UInt8] { Array(document.text.utf8) }

  private var document: HTML {
    let (skipped, underWay, history) = (self.skipped, self.underWay, self.history)
    let room =
      Self.maximumSectionBytes - [skipped, underWay, history].reduce(0) { $0 + $1.text.utf8.count }
    return """
      <!DOCTYPE html>
      <html lang="en">
      \(Self.head("\(report.name): backups"))
      <body>
      <a class="skip" href="#databases">Skip to the databases</a>
      <header><div class="wrap">\(HTML(markup: Self.logo))<h1>\(report.name) <small>Backups by sluice \(report.version)</small></h1>
      <div class="state"><span id="live" class="badge" role="status"></span><span id="state">\(state)</span></div></div></header>
      <main id="main" class="wrap" data-tag="\(report.tag)">
      \(problems)\(summary)\(skipped)\(underWay)\(databases(within: room))\(history)</main>
      <footer><div class="wrap"><span>As of <time datetime="\(Timestamp(seconds: Int64(report.now)).seconds)">\
      \(PageWords.time(report.now))</time></span>
      <a href="status.json">Status as JSON</a> <a href="metrics">Metrics</a> <a href="openapi.json">API description</a></div></footer>
      <script>\(HTML(markup: PageScript.text))</script>
      </body>
      </html>

      """
  }

  /// The head of a page of this program.
  ///
  /// - Parameter further: elements of it.
  static func head(_ title: String, further: HTML = "") -> HTML {
    """
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    \(further)<title>\(title)</title>
    <link rel="icon" href="data:image/svg+xml,\(HTML(markup: icon))">
    <style>\(HTML(markup: PageStyle.text))</style>
    </head>
    """
  }

  /// A gate in a channel.
  static let logo = """
    <svg viewBox="0 0 32 32" aria-hidden="true"><path fill="currentColor" d="M4 3h4v26H4zM24 3h4v26h-4zM10 3h12v13H10z"/>\
    <path fill="none" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" d="M11 21q2.5-3 5 0t5 0M11 27q2.5-3 5 0t5 0"/></svg>
    """
  private static let icon =
    "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Cpath fill='%230b6477' "
    + "d='M4 3h4v26H4zM24 3h4v26h-4zM10 3h12v13H10zM10 20h12v3H10zM10 26h12v3H10z'/%3E%3C/svg%3E"

  private var state: HTML {
    switch report.status {
    case "ok": #"<span class="badge ok">Ready</span>"#
    case "degraded": #"<span class="badge warn">Degraded</span>"#
    default: #"<span class="badge bad">Failing</span>"#
    }
  }

  /// What hinders every backup.
  private var problems: HTML {
    var problems = [report.detail, report.directory?.problem].compactMap(\.self)
    // Both may say that the directory cannot be read.
    if problems.count == 2, problems[0] == problems[1] { problems.removeLast() }
    guard !problems.isEmpty else { return "" }
    return """
      <section id="problems" aria-labelledby="h-problems"><h2 id="h-problems"><span class="badge bad">Attention</span></h2>\
      \(problems.map { "<p>\($0)</p>" as HTML })</section>

      """
  }

  private var summary: HTML {
    """
    <section id="summary" aria-labelledby="h-summary"><h2 id="h-summary" class="vh">Summary</h2>
    <dl class="facts">\(facts)</dl>
    <div class="get"><a class="button" href="api/backup">Download everything</a><pre>\(wholeCommand)</pre></div>
    </section>

    """
  }

  private var facts: HTML {
    let overview = report.directory?.overview
    let last: HTML =
      if let complete = report.state.lastComplete {
        """
        \(ago(complete.ended))<small>\(PageWords.time(complete.ended))\
        \(complete.bytes.map { ", \(sizes($0))" } ?? "")</small>
        """
      } else {
        #"<span class="badge warn">None known</span>"#
      }
    let whole: HTML = "<div><dt>Last complete backup</dt><dd>\(last)</dd></div>"
    // Without a list, nothing is known of what a backup would take: 0 would be a lie.
    guard let overview else { return whole }
    return """
      \(whole)
      <div><dt>Databases</dt><dd>\(overview.databases.count)\
      <small>\(sizes(overview.databases.reduce(0) { $0 + $1.size }))</small></dd></div>
      <div><dt>Other files</dt><dd>\(overview.fileCount)\
      <small>\(sizes(overview.fileBytes))</small></dd></div>
      <div><dt>A backup would skip</dt><dd>\(overview.skippedFiles.count)\
      <small>\(overview.skipped.isEmpty ? "it would be complete" : "it would be incomplete")</small></dd></div>
      """
  }

  /// How long ago something was, which the script keeps true.
  func ago(_ time: Int) -> HTML {
    """
    <time datetime="\(Timestamp(seconds: Int64(time)).seconds)" data-t="\(time)">\(PageWords.age(report.now - time)) ago</time>
    """
  }

  private func sizes(_ byteCount: UInt64) -> String {
    let short = PageWords.size(byteCount)
    return byteCount < 1000 ? short : "\(short), \(PageWords.bytes(byteCount))"
  }

  /// For people, and exactly.
  func bothSizes(_ byteCount: UInt64) -> HTML {
    let short = PageWords.size(byteCount)
    return byteCount < 1000 ? "\(short)" : "\(short)<small>\(PageWords.bytes(byteCount))</small>"
  }

  private var wholeCommand: HTML {
    "\(command("backup.new", "")) &amp;&amp;\n  sluice verify backup.new &amp;&amp; mv backup.new backup.zip"
  }

  /// A command line that downloads something.
  func command(_ file: String, _ query: String) -> HTML {
    let credentials: HTML =
      if report.needsToken {
        #" -H "Authorization: Bearer $TOKEN""#
      } else if let user {
        " -u \(user)"
      } else {
        ""
      }
    return """
      curl -fo \(file)\(credentials) '<span class="base">\(base)</span>api/backup\(query)'
      """
  }
}

extension StatusPage {
  /// The URL under which the client has asked, as far as that is known: by `Host`, and by what a proxy on this machine adds to
  /// the request (`X-Forwarded-Host`, `X-Forwarded-Proto`, `X-Forwarded-Prefix`).
  package static func base(of request: RequestHead, isProxied: Bool) -> String {
    var host = request.target.authority ?? request.values("Host").first ?? "localhost"
    var (scheme, prefix) = ("http", "")
    if isProxied {
      if let given = request.values("X-Forwarded-Host").first, isHost(given) { host = given }
      if request.values("X-Forwarded-Proto") == ["https"] { scheme = "https" }
      if let given = request.values("X-Forwarded-Prefix").first, isPath(given) { prefix = given }
    }
    return "\(scheme)://\(host)\(prefix)/"
  }

  /// The user name that the client has sent with a password; `USER` for one that a shell does not take as it is.
  package static func user(of request: RequestHead) -> String? {
    guard let user = BasicCredentials(request).map({ String(decoding: $0.user, as: UTF8.self) }) else {
      return nil
    }
    let isWord = !user.isEmpty && user.utf8.count <= 100 && user.hasOnlyAlphanumerics(and: "-._@")
    return isWord ? user : "USER"
  }

  /// Names without an escape, each after a slash.
  private static func isPath(_ text: String) -> Bool {
    text.hasPrefix("/") && !text.hasSuffix("/") && !text.contains("//")
      && text.hasOnlyAlphanumerics(and: "/-._~")
  }

  /// A name or an address, with a port or without.
  private static func isHost(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 300 && text.hasOnlyAlphanumerics(and: "-._[]:")
  }
}
