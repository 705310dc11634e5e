import Restore
import System

/// One place that a drill restores from, and what remembers and tells how that ended.
struct DrillPlace {
  let source: BackupSource
  /// Nil if nothing is to be remembered.
  let state: String?
  private let textfile: Textfile?

  /// - Parameters:
  ///   - state: of the first place.
  ///   - textfile: of the first place.
  ///   - number: from 1 on, among the places of a pull.
  init(_ source: BackupSource, state: String?, textfile: String?, number: Int) {
    self.source = source
    self.state = state.map { Self.path($0, number) }
    self.textfile = textfile.map {
      Textfile(path: Self.path($0, number), labels: [("series", source.series), ("place", source.shown)])
    }
  }

  /// The file of one place of several: `app.drill.prom` of the first, `app.drill-2.prom` of the second.
  static func path(_ path: String, _ number: Int) -> String {
    guard number > 1 else { return path }
    let name = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
    let end = name.dropFirst().lastIndex(of: ".") ?? path.endIndex
    return "\(path[..<end])-\(number)\(path[end...])"
  }

  private static let lastSuccess = Textfile.Family(
    name: "sluice_drill_last_success_timestamp_seconds",
    help: "When a drill last found a backup that restores, sound, with nothing lost; 0 if none is known.")
  private static let lastEnd = Textfile.Family(
    name: "sluice_drill_last_end_timestamp_seconds", help: "When the last drill ended.")
  private static let lastStatus = Textfile.Family(
    name: "sluice_drill_last_exit_status", help: "Exit status of the last drill.")

  /// What an earlier drill says of the last success stays if this one was none.
  func tell(_ status: Int32) {
    guard let textfile else { return }
    let now = "\(Timestamp.now().wholeSeconds)"
    Self.warning(textfile) { () throws(SystemError) in
      try textfile.write([
        (Self.lastSuccess, status == 0 ? now : textfile.earlier(Self.lastSuccess)), (Self.lastEnd, now),
        (Self.lastStatus, "\(status)"),
      ])
    }
  }

  /// Tells of a drill that did not begin: an earlier one has said from where.
  ///
  /// - Parameter series: if there was none.
  static func tell(_ status: Int32, _ path: String, series: String) {
    let textfile = Textfile(path: path, labels: [("series", series)])
    let values = [(lastEnd, "\(Timestamp.now().wholeSeconds)"), (lastStatus, "\(status)")]
    warning(textfile) { () throws(SystemError) in
      if try !textfile.change(values) { try textfile.write([(lastSuccess, "0")] + values) }
    }
  }

  private static func warning(_ textfile: Textfile, _ write: () throws(SystemError) -> Void) {
    do throws(SystemError) { try write() } catch {
      printError("sluice: warning: \(printable(textfile.path)) cannot be written: \(error)")
    }
  }
}
