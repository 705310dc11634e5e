import Glibc
import Pull
import System

/// The file that node_exporter's textfile collector reads: how the last pull of a series ended, when one last
/// kept a whole backup, and when one last did all that it was to do.
struct PullTextfile {
  let file: Textfile

  private static let lastWhole = Textfile.Family(
    name: "sluice_pull_last_whole_timestamp_seconds",
    help: "When a pull last kept a whole backup, whatever else failed; 0 if none is known.")
  private static let lastWholeBytes = Textfile.Family(
    name: "sluice_pull_last_whole_bytes", help: "Size of that backup.")
  private static let lastSuccess = Textfile.Family(
    name: "sluice_pull_last_success_timestamp_seconds",
    help: "When a pull last ended with exit status 0: all that it was to do was done; 0 if none is known.")
  private static let lastEnd = Textfile.Family(
    name: "sluice_pull_last_end_timestamp_seconds", help: "When the last pull ended.")
  private static let lastStatus = Textfile.Family(
    name: "sluice_pull_last_exit_status", help: "Exit status of the last pull.")
  private static let lastDuration = Textfile.Family(
    name: "sluice_pull_last_duration_seconds", help: "How long the last pull took.")

  /// Replaces the file. What an earlier one says of the last whole backup and of the last success stays if this pull brought none.
  func write(status: Int32, kept: PullRun.Kept?, took: Duration) throws(SystemError) {
    let now = Timestamp.now().wholeSeconds
    let whole = kept.flatMap { $0.worth == .whole ? $0 : nil }
    try file.write(
      [
        (Self.lastWhole, whole == nil ? file.earlier(Self.lastWhole) : "\(now)"),
        (Self.lastWholeBytes, whole.map { "\($0.size)" } ?? file.earlier(Self.lastWholeBytes)),
        (Self.lastSuccess, status == 0 ? "\(now)" : file.earlier(Self.lastSuccess)), (Self.lastEnd, "\(now)"),
        (Self.lastStatus, "\(status)"),
        (Self.lastDuration, "\(took.components.seconds)"),
      ])
  }
}
