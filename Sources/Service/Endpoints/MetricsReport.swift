import Archive
package import EventLoop
import HTTP1

/// What `GET /metrics` shows, as Prometheus reads it.
///
/// The format is https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4.
package struct MetricsReport {
  package static let mediaType = "text/plain; version=0.0.4; charset=utf-8"

  package var version: String
  package var state: ServiceState
  /// How many backups run, and how many are held for lost clients.
  package var running = 0
  package var suspended = 0
  /// What both have sent, in bytes.
  package var bytesUnderWay: UInt64 = 0
  /// For how long the oldest snapshot has been held.
  package var oldestSnapshot = Duration.zero
  /// By how much one WAL has grown at the most while its database was pinned.
  package var walGrowth: UInt64 = 0
  package var connectionsOpen = 0
  package var connectionsAccepted = 0

  package var text: String {
    family("build_info", "gauge", "What is running.", [(#"{version="\#(version)"}"#, "1")])
      + backups + archives + lastSuccess
  }

  private var backups: String {
    let counts = state.counts
    return counter("backups_started_total", "Backups begun.", counts.started)
      + family(
        "backups_completed_total", "counter", "Backups of the whole directory sent to their end.",
        labelled("outcome", counts.completed))
      + family(
        "selected_backups_completed_total", "counter",
        "Backups of databases chosen by ?db= sent to their end.", labelled("outcome", counts.selected))
      + family(
        "backups_aborted_total", "counter", "Backups begun and not sent to their end.",
        labelled("reason", counts.aborted))
      + family(
        "requests_rejected_total", "counter", "Backup requests rejected before they started.",
        labelled("reason", counts.rejected))
      + counter("requests_unchanged_total", "Requests whose client had the same already.", counts.unchanged)
      + gauge("backups_running", "Backups under way.", running)
      + gauge("backups_kept", "Backups whose client was lost and may come back.", suspended)
      + counter("backups_resumed_total", "Times that a lost client has resumed its backup.", counts.resumed)
  }

  private var archives: String {
    let counts = state.counts
    let ended = [counts.completed, counts.selected, counts.aborted].flatMap(\.values).reduce(0, +)
    return counter("read_bytes_total", "Bytes that went into archives.", counts.bytesRead)
      + counter("sent_bytes_total", "Bytes of archives that clients took.", counts.bytesSent + bytesUnderWay)
      + family(
        "backup_duration_seconds", "summary", "Time from a request to the end of its backup.",
        [("_sum", "\(counts.seconds)"), ("_count", "\(ended)")])
      + gauge(
        "snapshot_age_seconds", "How long the oldest snapshot has been held.", oldestSnapshot.inSeconds)
      + gauge(
        "wal_growth_bytes", "By how much a WAL has grown while its database was pinned: the largest.",
        walGrowth)
      + counter(
        "wal_left_total",
        "WAL files with rows that their databases lack and that no process had open when a backup released them.",
        counts.leftWALs)
      + gauge("connections", "Connections open.", connectionsOpen)
      + counter("connections_accepted_total", "Connections accepted.", connectionsAccepted)
  }

  private var lastSuccess: String {
    let last = state.lastComplete
    return gauge(
      "last_success_timestamp_seconds",
      "When a client last got a complete backup of the whole directory, or presented one that is still current, in "
        + "seconds since 1970; 0 if none is known. It outlives the process if there is a state directory.",
      last?.ended ?? 0)
      + gauge("last_success_bytes", "Size of that backup; 0 if it is not known.", last?.bytes ?? 0)
      + gauge("last_success_databases", "Number of databases in that backup.", last?.databases ?? 0)
      + gauge(
        "last_success_skew_seconds",
        "Time between the first and the last snapshot of that backup; 0 if it is not known.",
        (last?.skewMilliseconds ?? 0) / 1000)
  }

  private func counter(_ name: String, _ help: String, _ value: some Numeric) -> String {
    family(name, "counter", help, [("", "\(value)")])
  }

  private func gauge(_ name: String, _ help: String, _ value: some Numeric) -> String {
    family(name, "gauge", help, [("", "\(value)")])
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

extension MetricsReport {
  /// What a service has to show now.
  @Loop package init(of service: BackupService) {
    let (registry, ledger) = (service.registry, service.ledger)
    let holds = registry.records.compactMap(\.hold)
    self.init(version: Service.version, state: ledger.state)
    running = registry.running.count
    suspended = registry.suspended.count
    bytesUnderWay = registry.records.reduce(0) { $0 + $1.delivery.byteCount }
    oldestSnapshot = holds.map(\.since).min().map { ContinuousClock.now - $0 } ?? .zero
    walGrowth = holds.map(\.walGrowth).max() ?? 0
    connectionsOpen = ledger.connections.open
    connectionsAccepted = ledger.connections.accepted
  }
}
