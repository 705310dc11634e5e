import System

/// How several services, or several series of kept backups, are: a page that any web server can hand out, made once for each time
/// that it is to be true of. It needs no script.
package struct FleetPage {
  /// One line of it.
  package struct Row {
    package enum State {
      case good
      case incomplete
      case failed
    }

    let name: String
    let state: State
    let words: String

    package init(name: String, state: State, words: String) {
      self.name = name
      self.state = state
      self.words = words
    }
  }

  /// Seconds after which a browser loads the page once more.
  private static let refreshInterval = 60

  private let rows: [Row]
  private let host: String
  private let now: Int64

  /// - Parameters:
  ///   - host: of this machine.
  ///   - now: in seconds since 1970.
  package init(_ rows: [Row], host: String, now: Int64) {
    self.rows = rows
    self.host = host
    self.now = now
  }

  package var content: [UInt8] { Array(document.text.utf8) }

  private var document: HTML {
    """
    <!DOCTYPE html>
    <html lang="en">
    \(StatusPage.head(title, further: further))
    <body>
    <header><div class="wrap">\(HTML(markup: StatusPage.logo))<h1>Backups <small>as \(host) sees them</small></h1>
    <div class="state">\(summary)</div></div></header>
    <main class="wrap"><section aria-labelledby="h-all"><h2 id="h-all" class="vh">All</h2>
    <table><caption>Those that need attention come first</caption>
    <thead><tr><th scope="col">Name</th><th scope="col">State</th><th scope="col">Details</th></tr></thead>
    <tbody>
    \(ordered.map(row))</tbody></table></section></main>
    <footer><div class="wrap"><span>As of <time datetime="\(Timestamp(seconds: now).seconds)">\(PageWords.time(Int(now)))</time>; \
    if that is long ago, what makes this page does not run</span></div></footer>
    </body>
    </html>

    """
  }

  private var further: HTML {
    """
    <meta http-equiv="Content-Security-Policy" content="\(StatusPage.policy(script: nil))">
    <meta http-equiv="refresh" content="\(Self.refreshInterval)">

    """
  }

  private func count(_ state: Row.State) -> Int { rows.filter { $0.state == state }.count }

  private var title: String {
    let bad = rows.count - count(.good)
    return bad == 0 ? "Backups: all \(rows.count) good" : "Backups: \(bad) of \(rows.count) need attention"
  }

  private var summary: HTML {
    let parts: [HTML] = [Row.State.failed, .incomplete, .good].compactMap { state in
      let number = count(state)
      return number == 0 ? nil : badge(state, "\(number) \(Self.word(state))")
    }
    return "\(parts)"
  }

  private var ordered: [Row] {
    [Row.State.failed, .incomplete, .good].flatMap { state in rows.filter { $0.state == state } }
  }

  private func row(_ row: Row) -> HTML {
    """
    <tr><th scope="row">\(row.name)</th><td class="word" data-l="State">\(badge(row.state, Self.word(row.state)))</td>\
    <td class="wide" data-l="Details">\(row.words)</td></tr>

    """
  }

  private static func word(_ state: Row.State) -> String {
    switch state {
    case .good: "good"
    case .incomplete: "incomplete"
    case .failed: "failed"
    }
  }

  private func badge(_ state: Row.State, _ word: String) -> HTML {
    switch state {
    case .good: #"<span class="badge ok">\#(word)</span>"#
    case .incomplete: #"<span class="badge warn">\#(word)</span>"#
    case .failed: #"<span class="badge bad">\#(word)</span>"#
    }
  }
}
