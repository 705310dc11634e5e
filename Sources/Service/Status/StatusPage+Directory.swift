import Archive
import HTTP1
import System

/// The databases, a part of them at a time, and what a backup would skip.
extension StatusPage {
  /// With what stands around them, a page stays below 60 KB.
  private static let maximumRows = 40
  /// Of the sections whose length depends on what there is; the others have 13 KB.
  static let maximumSectionBytes = 45_000
  /// `status.json` names all.
  private static let maximumSkipped = 20
  private static let maximumSkippedBytes = 9_000

  var skipped: HTML {
    guard let skipped = report.directory?.overview?.skippedFiles, !skipped.isEmpty else { return "" }
    var (rows, length): ([HTML], Int) = ([], 0)
    for skipped in skipped.prefix(Self.maximumSkipped) {
      let row: HTML = """
        <tr><th scope="row"><bdi>\(Self.shortened(skipped.path))</bdi></th><td class="word" data-l="Reason">\(skipped.reason)</td>\
        <td class="wide" data-l="Why, and what to do">\(Self.shortened(report.advice.added(to: skipped.detail, for: skipped.reason)))</td></tr>

        """
      length += row.text.utf8.count
      guard rows.isEmpty || length <= Self.maximumSkippedBytes else { break }
      rows.append(row)
    }
    let more: HTML =
      skipped.count > rows.count
      ? #"<p>\#(skipped.count - rows.count) more: see the <a href="status.json">status as JSON</a>.</p>"# : ""
    return """
      <section id="skipped" aria-labelledby="h-skipped"><div class="bar"><h2 id="h-skipped">A backup would skip \
      \(counted(skipped.count, "file"))</h2><span class="badge warn">Incomplete</span></div>
      <table><caption class="vh">What a backup would skip, and what to do about it</caption>
      <thead><tr><th scope="col">Path</th><th scope="col">Reason</th><th scope="col">Why, and what to do</th></tr></thead>
      <tbody>\(rows)</tbody></table>\(more)</section>

      """
  }

  /// - Parameter room: for the rows, in bytes; one is shown in any case.
  func databases(within room: Int) -> HTML {
    let overview = report.directory?.overview
    let databases = overview?.databases ?? []
    guard !databases.isEmpty else {
      return """
        <section id="databases" aria-labelledby="h-databases"><h2 id="h-databases">Databases</h2>\
        <p>\(overview == nil ? "It is not known which there are." : "There is no database.")</p></section>

        """
    }
    let start = min(first, databases.count - 1)
    var (rows, length): ([HTML], Int) = ([], 0)
    for (index, database) in databases[start...].prefix(Self.maximumRows).enumerated() {
      let row = row(database, number: start + index)
      length += row.text.utf8.count
      guard rows.isEmpty || length <= room else { break }
      rows.append(row)
    }
    let end = start + rows.count
    let shown: HTML =
      end - start < databases.count ? "\(start + 1) to \(end) of \(databases.count)" : "\(databases.count)"
    return """
      <section id="databases" aria-labelledby="h-databases"><div class="bar"><h2 id="h-databases">Databases</h2>\
      <p>\(shown), as of \(ago(Int((overview?.takenAt ?? 0) / 1_000_000_000)))</p></div>
      <table><caption class="vh">Databases that a backup takes</caption>
      <thead><tr><th scope="col">Path</th><th scope="col">Journal</th><th scope="col" class="n">Size</th>\
      <th scope="col" class="n">WAL</th><th scope="col">Last backup</th><th scope="col"><span class="vh">Download</span></th></tr></thead>
      <tbody>\(rows)</tbody></table>\(pager(start, end, databases.count))</section>

      """
  }

  private func row(_ database: DirectoryOverview.Database, number: Int) -> HTML {
    let query = "?db=\(FieldLine.percentEncoded(database.path))"
    let last: HTML =
      if let time = report.state.databaseTimes[database.path] {
        "\(ago(time))<small>\(PageWords.time(time))</small>"
      } else {
        #"<span class="badge">none known</span>"#
      }
    let wal: HTML =
      database.walSize > 0
      ? bothSizes(database.walSize)
      : database.journalMode == "wal" ? "empty" : "none"
    return """
      <tr><th scope="row"><bdi>\(database.path)</bdi></th><td data-l="Journal">\
      \(database.journalMode == "wal" ? "WAL" : "rollback")</td>\
      <td class="n" data-l="Size">\(bothSizes(database.size))</td>\
      <td class="n" data-l="WAL">\(wal)</td><td data-l="Last backup">\(last)</td>\
      <td class="act"><div><details id="c\(number)"><summary>curl<span class="vh"> for \(Self.shortened(database.path))</span></summary>\
      <pre>\(command(Self.archiveName(database.path), query))</pre></details>\
      <a class="button small" href="api/backup\(query)">Download<span class="vh"> \(Self.shortened(database.path))</span></a></div></td></tr>

      """
  }

  /// What an archive of one database is called, as a word of a shell.
  static func archiveName(_ path: String) -> String {
    let name = path.split(separator: "/").last.map(String.init) ?? ""
    return "\(name.hasOnlyAlphanumerics(and: "-._") ? name : "database").zip"
  }

  private func pager(_ start: Int, _ end: Int, _ count: Int) -> HTML {
    guard start > 0 || end < count else { return "" }
    let before: HTML =
      start > 0
      ? #"<a href="?from=\#(max(0, start - Self.maximumRows))">Previous databases</a>"# : "<span></span>"
    let after: HTML = end < count ? #"<a href="?from=\#(end)">Next databases</a>"# : ""
    return #"<nav aria-label="Databases">\#(before) \#(after)</nav>"#
  }

  /// A long text by its beginning and its end, where it stands beside the whole or the whole would fill the page.
  private static func shortened(_ text: String) -> String {
    guard text.unicodeScalars.count > 300 else { return text }
    return "\(String(String.UnicodeScalarView(text.unicodeScalars.prefix(200))))…"
      + String(String.UnicodeScalarView(text.unicodeScalars.suffix(90)))
  }
}

extension DirectoryOverview {
  /// Without the entry for the directory itself, which says that it has no database: that is no file.
  var skippedFiles: [Skipped] { skipped.filter { $0.path != "." } }
}
