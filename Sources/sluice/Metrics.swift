import Backup
import EventLoop
import Glibc
import HTTP1

/// What is counted over the life of the process.
@Loop final class Metrics {
  /// Backups whose request could be met; counted once its snapshots are held, or it has failed.
  var started = 0
  var completed: [BackupService.Outcome: Int] = [.complete: 0, .incomplete: 0]
  /// By `BackupError.reason`, or by what became of the client.
  var aborted: [String: Int] = ["client-left": 0, "client-stalled": 0]
  /// Requests for a backup that were refused before one was begun.
  var rejected: [String: Int] = [
    "bad-request": 0, "misdirected": 0, "too-many-backups": 0, "unauthorized": 0,
  ]
  /// Requests whose client has an archive of the same state.
  var unchanged = 0
  /// Archives that a client who was lost has gone on with.
  var resumed = 0
  /// Write-ahead logs that were left, when a snapshot was released, with rows that no process had open.
  var leftLogs = 0
  /// Uncompressed, and as sent.
  var bytesRead: UInt64 = 0
  var bytesSent: UInt64 = 0
  var duration = Duration.zero
  /// Seconds since 1970; 0 if there was none.
  var lastSuccess: time_t = 0
  let connections = ConnectionCount()

  /// Notes the end of a backup that was begun.
  func count(_ backup: RunningBackup, _ outcome: BackupService.Outcome, _ failure: BackupFailure?) {
    bytesRead += backup.bytesRead
    bytesSent += backup.byteCount
    duration += ContinuousClock.now - backup.begun
    if let failure { aborted[failure.reason, default: 0] += 1 } else { completed[outcome, default: 0] += 1 }
    if outcome == .complete { lastSuccess = time(nil) }
  }
}

extension BackupService {
  /// `GET /metrics`: what is counted, as Prometheus reads it.
  ///
  /// The format is https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4.
  func metrics(_ response: Response) async throws {
    let holds = (runningBackups + kept.map(\.backup)).compactMap(\.hold)
    let oldest = holds.map(\.since).min().map { ContinuousClock.now - $0 } ?? .zero
    let text = [
      family("build_info", "gauge", "What is running.", [(#"{version="\#(version)"}"#, "1")]),
      family("backups_started_total", "counter", "Backups begun.", [("", "\(metrics.started)")]),
      family(
        "backups_completed_total", "counter", "Backups sent to their end.",
        metrics.completed.map { (#"{outcome="\#($0.key.rawValue)"}"#, "\($0.value)") }),
      family(
        "backups_aborted_total", "counter", "Backups begun and not sent to their end.",
        metrics.aborted.map { (#"{reason="\#($0.key)"}"#, "\($0.value)") }),
      family(
        "requests_rejected_total", "counter", "Requests for a backup that none was begun for.",
        metrics.rejected.map { (#"{reason="\#($0.key)"}"#, "\($0.value)") }),
      family(
        "requests_unchanged_total", "counter", "Requests whose client had the same already.",
        [("", "\(metrics.unchanged)")]),
      family("backups_running", "gauge", "Backups under way.", [("", "\(runningBackups.count)")]),
      family(
        "backups_kept", "gauge", "Backups whose client was lost and may come back.", [("", "\(kept.count)")]),
      family(
        "backups_resumed_total", "counter", "Times that a client who was lost has gone on.",
        [("", "\(metrics.resumed)")]),
      family("read_bytes_total", "counter", "Bytes that went into archives.", [("", "\(metrics.bytesRead)")]),
      family(
        "sent_bytes_total", "counter", "Bytes of archives that clients took.",
        [("", "\(metrics.bytesSent + (runningBackups + kept.map(\.backup)).reduce(0) { $0 + $1.byteCount })")]
      ),
      family(
        "backup_duration_seconds", "summary", "Time from a request to the end of its backup.",
        [
          ("_sum", seconds(metrics.duration)),
          ("_count", "\(metrics.completed.values.reduce(0, +) + metrics.aborted.values.reduce(0, +))"),
        ]),
      family(
        "snapshot_age_seconds", "gauge", "How long the oldest snapshot has been held.",
        [("", seconds(oldest))]),
      family(
        "wal_growth_bytes", "gauge",
        "By how much a log has grown while its database was pinned: the largest.",
        [("", "\(holds.map(\.logGrowth).max() ?? 0)")]),
      family(
        "wal_left_total", "counter",
        "WAL files with rows that their databases lack and that no process had open when a backup released them.",
        [("", "\(metrics.leftLogs)")]),
      family("connections", "gauge", "Connections open.", [("", "\(metrics.connections.open)")]),
      family(
        "connections_accepted_total", "counter", "Connections accepted.",
        [("", "\(metrics.connections.accepted)")]),
      family(
        "last_success_timestamp_seconds", "gauge",
        "When the last complete backup ended, in seconds since 1970; 0 if there was none.",
        [("", "\(metrics.lastSuccess)")]),
    ].joined()
    try await response.send(.ok, "text/plain; version=0.0.4; charset=utf-8", Array(text.utf8))
  }

  /// The lines of one metric: its help, its type, and its samples in a stable order.
  private func family(
    _ name: String, _ type: String, _ help: String, _ samples: [(suffix: String, value: String)]
  ) -> String {
    let lines = samples.map { "sluice_\(name)\($0.suffix) \($0.value)\n" }.sorted()
    return "# HELP sluice_\(name) \(help)\n# TYPE sluice_\(name) \(type)\n\(lines.joined())"
  }

  private func seconds(_ duration: Duration) -> String {
    "\(Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18)"
  }
}
