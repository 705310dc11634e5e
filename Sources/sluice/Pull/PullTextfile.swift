import Glibc
import Pull
import System

/// The file that node_exporter's textfile collector reads: how the last pull of a series ended, and when one last succeeded.
struct PullTextfile {
  let file: Textfile

  private static let lastSuccess = Textfile.Family(
    name: "sluice_pull_last_success_timestamp_seconds",
    help: "When a pull last ended with a whole backup in place; 0 if none is known.")
  private static let lastSuccessBytes = Textfile.Family(
    name: "sluice_pull_last_success_bytes", help: "Size of that backup.")
  private static let lastEnd = Textfile.Family(
    name: "sluice_pull_last_end_timestamp_seconds", help: "When the last pull ended.")
  private static let lastStatus = Textfile.Family(
    name: "sluice_pull_last_exit_status", help: "Exit status of the last pull.")
  private static let lastDuration = Textfile.Family(
    name: "sluice_pull_last_duration_seconds", help: "How long the last pull took.")

  /// Replaces the file. What an earlier one says of the last success stays if this pull was none.
  func write(status: Int32, kept: PullRun.Kept?, took: Duration) throws(SystemError) {
    let now = Timestamp.now().wholeSeconds
    let isSuccess = status == 0
    try file.write(
      [
        (Self.lastSuccess, isSuccess ? "\(now)" : file.earlier(Self.lastSuccess)),
        (
          Self.lastSuccessBytes,
          isSuccess ? "\(kept?.size ?? 0)" : file.earlier(Self.lastSuccessBytes)
        ),
        (Self.lastEnd, "\(now)"), (Self.lastStatus, "\(status)"),
        (Self.lastDuration, "\(took.components.seconds)"),
      ])
  }
}
