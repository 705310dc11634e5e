import System

/// The backups: those under way, and the last that ended.
extension StatusPage {
  /// `--max-backups` may be 1000.
  private static let maximumUnderWay = 20

  var underWay: HTML {
    let backups = report.underWay
    let limit = counted(report.slotCount, "backup")
    guard !backups.isEmpty else {
      return """
        <section id="under-way" aria-labelledby="h-under-way"><div class="bar"><h2 id="h-under-way">Under way</h2>\
        <p>No backup runs. At most \(limit) may at once.</p></div></section>

        """
    }
    let more: HTML =
      backups.count > Self.maximumUnderWay
      ? #"<p>\#(backups.count - Self.maximumUnderWay) more: see the <a href="status.json">status as JSON</a>.</p>"#
      : ""
    return """
      <section id="under-way" aria-labelledby="h-under-way"><div class="bar"><h2 id="h-under-way">Under way</h2>\
      <p>\(backups.count) of at most \(limit)</p></div>
      <table><caption class="vh">Backups that run or are suspended</caption>
      <thead><tr><th scope="col">Client</th><th scope="col">Progress</th><th scope="col" class="n">Sent</th>\
      <th scope="col" class="n">Age</th><th scope="col" class="n">WAL growth</th></tr></thead>
      <tbody>\(backups.prefix(Self.maximumUnderWay).map(row))</tbody></table>\(more)</section>

      """
  }

  private func row(_ backup: StatusReport.UnderWay) -> HTML {
    let value: HTML = backup.thousandths.map { #" value="\#($0)""# } ?? ""
    let age = PageWords.age(Int(backup.age.components.seconds))
    let phase: HTML =
      switch backup.phase {
      case .preparing: "snapshots are being taken"
      case .sending: backup.isSelection ? "some databases" : "everything"
      case .suspended:
        """
        <span class="badge warn">suspended</span>, and its client may resume it for \
        <span data-v="left">\(PageWords.age(Int(backup.resumableFor?.components.seconds ?? 0)))</span>
        """
      }
    return """
      <tr id="b-\(backup.id)"><th scope="row"><bdi>\(backup.client)</bdi></th>\
      <td class="wide" data-l="Progress"><progress max="1000"\(value) aria-label="Progress of the backup for \(backup.client)"></progress>\
      <span data-v="done">\(backup.thousandths.map { "\($0 / 10) %" } ?? "")</span> \(phase)</td>\
      <td class="n" data-l="Sent"><span data-v="sent">\(PageWords.size(backup.sent))</span>\
      <small data-v="bytes">\(PageWords.bytes(backup.sent))</small></td>\
      <td class="n" data-l="Age"><span data-v="age">\(age)</span></td>\
      <td class="n" data-l="WAL growth">\(bothSizes(backup.walGrowth))</td></tr>

      """
  }

  // MARK: the last ones

  var history: HTML {
    let backups = report.state.history
    guard !backups.isEmpty else {
      return """
        <section id="history" aria-labelledby="h-history"><h2 id="h-history">Last backups</h2>\
        <p>None has ended since the counters began.</p></section>

        """
    }
    let rows = backups.reversed().map { backup -> HTML in
      """
      <tr><th scope="row">\(PageWords.time(backup.ended))</th><td data-l="Outcome">\(outcome(backup))</td>\
      <td class="n" data-l="Size">\(bothSizes(backup.bytes))</td>\
      <td class="n" data-l="Duration">\(PageWords.duration(milliseconds: backup.milliseconds))</td>\
      <td class="n" data-l="Skew">\(skew(backup))</td></tr>

      """
    }
    return """
      <section id="history" aria-labelledby="h-history"><div class="bar"><h2 id="h-history">Last backups</h2>\
      <p>\(backups.count), the newest on the right</p></div>
      <div class="charts">\
      \(chart("Size", { Double($0.bytes) }) { PageWords.size($0.bytes) })\
      \(chart("Duration", { Double($0.milliseconds) }) { PageWords.duration(milliseconds: $0.milliseconds) })\
      \(chart("Skew", { $0.skewMilliseconds ?? 0 }, skew))</div>
      <ul class="key"><li>complete</li><li class="s">some databases</li><li class="i">incomplete or in part</li><li class="f">failed</li></ul>
      <details id="h-all"><summary>The same as a table</summary>
      <table><caption class="vh">The last backups, the newest first</caption>
      <thead><tr><th scope="col">Ended</th><th scope="col">Outcome</th><th scope="col" class="n">Size</th>\
      <th scope="col" class="n">Duration</th><th scope="col" class="n">Skew</th></tr></thead>
      <tbody>\(rows)</tbody></table></details></section>

      """
  }

  private func skew(_ backup: ServiceState.PastBackup) -> String {
    backup.skewMilliseconds.map { PageWords.duration(milliseconds: Int($0.rounded(.up))) } ?? "not known"
  }

  private func outcome(_ backup: ServiceState.PastBackup) -> HTML {
    let badge: HTML =
      switch backup.outcome {
      case .complete: #"<span class="badge ok">complete</span>"#
      case .incomplete: #"<span class="badge warn">incomplete</span>"#
      case .ranges: #"<span class="badge">ranges</span>"#
      case .failed: #"<span class="badge bad">failed</span>"#
      }
    let note =
      backup.reason
      ?? (backup.isSelection ? "some databases" : backup.skipped.map { $0 > 0 ? "\($0) skipped" : "" } ?? "")
    return "\(badge) \(note)"
  }

  /// A bar for each backup, as high as its figure is of the largest one.
  private func chart(
    _ name: String, _ figure: (ServiceState.PastBackup) -> Double,
    _ words: (ServiceState.PastBackup) -> String
  ) -> HTML {
    let backups = report.state.history
    let (slot, height) = (10, 64)
    let largest = backups.max { figure($0) < figure($1) }
    let most = max(largest.map(figure) ?? 0, 1)
    let offset = (ServiceState.maximumHistory - backups.count) * slot
    let bars = backups.enumerated().map { index, backup -> HTML in
      let part = max(2, Int(figure(backup) / most * Double(height)))
      let kind: HTML =
        switch backup.outcome {
        case .complete: backup.isSelection ? "s" : "v"
        case .incomplete, .ranges: "i"
        case .failed: "f"
        }
      return """
        <rect class="\(kind)" x="\(offset + index * slot + 1)" y="\(height - part + 4)" width="8" height="\(part)" rx="1">\
        <title>\(words(backup)), \(backup.outcome.rawValue), \(PageWords.time(backup.ended))</title></rect>
        """
    }
    let summary =
      "\(name) of the last \(counted(backups.count, "backup")): the newest \(backups.last.map(words) ?? ""), at most \(largest.map(words) ?? "")"
    return """
      <figure><figcaption>\(name)<small>at most \(largest.map(words) ?? "")</small></figcaption>\
      <svg class="chart" viewBox="0 0 300 70" preserveAspectRatio="none" role="img" aria-label="\(summary)"><path class="base" d="M0 69h300"/>\(bars)</svg></figure>
      """
  }
}
