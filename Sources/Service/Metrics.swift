package import Archive
package import EventLoop
import Glibc
package import HTTP1
import System

/// What is counted, in this process and by those before it that left their state.
@Loop package final class Metrics {
  package var state: ServiceState
  package let connections = ConnectionCount()

  package init(of dataDirectory: String) { state = ServiceState(dataDirectory: dataDirectory) }

  /// Notes the end of a backup that was begun.
  package func count(_ backup: RunningBackup, _ outcome: BackupService.Outcome, _ failure: BackupFailure?) {
    let now = Int(time(nil))
    state.counts.bytesRead += backup.bytesRead
    state.counts.bytesSent += backup.byteCount
    state.counts.seconds += (ContinuousClock.now - backup.begun).seconds
    if let failure {
      state.counts.aborted[failure.reason, default: 0] += 1
    } else if backup.isSelection {
      state.counts.selected[outcome.rawValue, default: 0] += 1
    } else {
      state.counts.completed[outcome.rawValue, default: 0] += 1
    }
    state.lastBackup = ServiceState.Backup(
      outcome: outcome, isSelection: backup.isSelection, ended: now, bytes: backup.byteCount)
    guard !backup.isSelection, let preamble = backup.preamble else { return }
    switch outcome {
    case .complete:
      state.lastComplete = ServiceState.Complete(
        ended: now, tag: preamble.tag.opaque, databases: preamble.databaseCount, bytes: backup.byteCount,
        skewMilliseconds: preamble.snapshotSkewMilliseconds)
    case .incomplete: break
    case .ranges, .failed:
      state.unfinishedTags =
        state.unfinishedTags.suffix(ServiceState.maximumUnfinishedTags - 1) + [preamble.tag.opaque]
    }
  }

  /// Notes that a client has an archive of the present state; not if this archive was not sent to its end.
  package func countCurrent(_ preamble: BackupSession.Preamble, _ tag: String) {
    guard !state.unfinishedTags.contains(tag) else { return }
    let now = Int(time(nil))
    if let known = state.lastComplete, known.tag.utf8.starts(with: preamble.state.utf8) {
      // That one is of the same state.
      state.lastComplete?.ended = now
    } else {
      state.lastComplete = ServiceState.Complete(ended: now, tag: tag, databases: preamble.databaseCount)
    }
  }
}

extension Duration {
  fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

extension BackupService {
  /// `GET /metrics`: what is counted, as Prometheus reads it.
  ///
  /// The format is https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4.
  package func metrics(_ response: Response) async throws {
    let holds = (runningBackups + kept.map(\.backup)).compactMap(\.hold)
    let (counts, lastComplete) = (metrics.state.counts, metrics.state.lastComplete)
    let oldest = holds.map(\.since).min().map { ContinuousClock.now - $0 } ?? .zero
    let text = [
      family("build_info", "gauge", "What is running.", [(#"{version="\#(version)"}"#, "1")]),
      family("backups_started_total", "counter", "Backups begun.", [("", "\(counts.started)")]),
      family(
        "backups_completed_total", "counter", "Backups of the whole directory sent to their end.",
        labelled("outcome", counts.completed)),
      family(
        "selected_backups_completed_total", "counter",
        "Backups of databases chosen by ?db= sent to their end.", labelled("outcome", counts.selected)),
      family(
        "backups_aborted_total", "counter", "Backups begun and not sent to their end.",
        labelled("reason", counts.aborted)),
      family(
        "requests_rejected_total", "counter", "Backup requests rejected before they started.",
        labelled("reason", counts.rejected)),
      family(
        "requests_unchanged_total", "counter", "Requests whose client had the same already.",
        [("", "\(counts.unchanged)")]),
      family("backups_running", "gauge", "Backups under way.", [("", "\(runningBackups.count)")]),
      family(
        "backups_kept", "gauge", "Backups whose client was lost and may come back.", [("", "\(kept.count)")]),
      family(
        "backups_resumed_total", "counter", "Times that a client who was lost has gone on.",
        [("", "\(counts.resumed)")]),
      family("read_bytes_total", "counter", "Bytes that went into archives.", [("", "\(counts.bytesRead)")]),
      family(
        "sent_bytes_total", "counter", "Bytes of archives that clients took.",
        [("", "\(counts.bytesSent + (runningBackups + kept.map(\.backup)).reduce(0) { $0 + $1.byteCount })")]
      ),
      family(
        "backup_duration_seconds", "summary", "Time from a request to the end of its backup.",
        [
          ("_sum", "\(counts.seconds)"),
          (
            "_count",
            "\([counts.completed, counts.selected, counts.aborted].flatMap(\.values).reduce(0, +))"
          ),
        ]),
      family(
        "snapshot_age_seconds", "gauge", "How long the oldest snapshot has been held.",
        [("", "\(oldest.seconds)")]),
      family(
        "wal_growth_bytes", "gauge",
        "By how much a log has grown while its database was pinned: the largest.",
        [("", "\(holds.map(\.walGrowth).max() ?? 0)")]),
      family(
        "wal_left_total", "counter",
        "WAL files with rows that their databases lack and that no process had open when a backup released them.",
        [("", "\(counts.leftLogs)")]),
      family("connections", "gauge", "Connections open.", [("", "\(metrics.connections.open)")]),
      family(
        "connections_accepted_total", "counter", "Connections accepted.",
        [("", "\(metrics.connections.accepted)")]),
      family(
        "last_success_timestamp_seconds", "gauge",
        "When a client last got, or was told that it still has, a complete backup of the whole directory, in seconds "
          + "since 1970; 0 if none is known. It outlives the process if there is a state directory.",
        [("", "\(lastComplete?.ended ?? 0)")]),
      family(
        "last_success_bytes", "gauge", "Size of that backup; 0 if it is not known.",
        [("", "\(lastComplete?.bytes ?? 0)")]),
      family(
        "last_success_databases", "gauge", "Number of databases in that backup.",
        [("", "\(lastComplete?.databases ?? 0)")]),
      family(
        "last_success_skew_seconds", "gauge",
        "Time between the first and the last snapshot of that backup; 0 if it is not known.",
        [("", "\((lastComplete?.skewMilliseconds ?? 0) / 1000)")]),
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

  private func labelled(_ label: String, _ counts: [String: Int]) -> [(suffix: String, value: String)] {
    counts.map { ("{\(label)=\"\($0.key)\"}", "\($0.value)") }
  }
}

extension ServiceState.Backup {
  /// For `/healthz`.
  package var json: JSONValue {
    .object([
      ("outcome", .string(outcome.rawValue)),
      ("scope", .string(isSelection ? "selection" : "directory")),
      ("bytes", .integer(Int(bytes))),
      ("seconds_ago", .integer(secondsSince(ended))),
    ])
  }
}

extension ServiceState.Complete {
  /// For `/healthz`.
  package var json: JSONValue {
    var members: [(name: String, value: JSONValue)] = [
      ("timestamp", .integer(ended)), ("seconds_ago", .integer(secondsSince(ended))),
      ("databases", .integer(databases)),
    ]
    if let bytes { members.append(("bytes", .integer(Int(bytes)))) }
    if let skewMilliseconds {
      members.append(("snapshot_skew_ms", .integer(Int(skewMilliseconds.rounded(.up)))))
    }
    return .object(members)
  }
}

/// Not below 0: a clock may have been set back.
private func secondsSince(_ time: Int) -> Int { max(0, Int(Glibc.time(nil)) - time) }
