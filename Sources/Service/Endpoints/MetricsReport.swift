import Archive
package import EventLoop
package import HTTP1
package import System

/// What `GET /metrics` shows, as Prometheus reads it.
///
/// The formats are https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4, and
/// https://prometheus.io/docs/specs/om/open_metrics_spec/, version 1.0.0.
package struct MetricsReport {
  /// In which of the two it is written.
  package enum Format: Sendable {
    case text
    case openMetrics

    package var mediaType: String {
      switch self {
      case .text: "text/plain; version=0.0.4; charset=utf-8"
      case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
      }
    }

    /// The format that a client would rather have; the older one, unless it names the other.
    package init(for accepted: AcceptedMedia) {
      let openMetrics = accepted.ranges.filter {
        $0.type == "application/openmetrics-text" && ["1.0.0", nil].contains($0.parameter("version"))
      }
      let text = accepted.ranges.filter { $0.type == "text/plain" || $0.type == "text/*" }
      let weight = { (ranges: [AcceptedMedia.Range]) in ranges.map(\.weight).max() ?? 0 }
      self = weight(openMetrics) > 0 && weight(openMetrics) >= weight(text) ? .openMetrics : .text
    }
  }

  package var format = Format.text
  package var version: String
  package var state: ServiceState
  /// How many backups run, and how many are held for lost clients.
  package var running = 0
  package var suspended = 0
  /// What was sent of archives that are not counted yet, in bytes.
  package var bytesUnderWay: UInt64 = 0
  /// For how long the oldest snapshot has been held.
  package var oldestSnapshot = Duration.zero
  /// By how much one WAL has grown at the most while its database was pinned.
  package var walGrowth: UInt64 = 0
  package var connectionsOpen = 0
  package var connectionsAccepted = 0
  /// Whether a backup can be made, and would have a database in it.
  package var isReady = true
  /// Of the data directory's file system, if it is known.
  package var space: FileSystemSpace?

  package var text: String {
    family("build_info", "gauge", "What is running.", [(#"{version="\#(version)"}"#, "1")])
      + directory + backups + archives + lastSuccess + (format == .openMetrics ? "# EOF\n" : "")
  }

  private var directory: String {
    gauge(
      "ready", "1 if a backup can be made and would have a database in it, 0 if not.", isReady ? 1 : 0)
      + (space.map { space in
        gauge(
          "data_free_bytes", "What the data directory's file system has free for the application.",
          space.available)
          + gauge("data_size_bytes", "Size of the data directory's file system.", space.total)
      } ?? "")
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

  /// The lines of one metric: its help, its type, and its samples in a stable order. To OpenMetrics, a counter's `_total` is
  /// no part of its name.
  private func family(
    _ name: String, _ type: String, _ help: String, _ samples: [(suffix: String, value: String)]
  ) -> String {
    let lines = samples.map { "sluice_\(name)\($0.suffix) \($0.value)\n" }.sorted()
    let total = "_total"
    let family =
      format == .openMetrics && type == "counter" && name.hasSuffix(total)
      ? String(name.dropLast(total.count)) : name
    return "# HELP sluice_\(family) \(help)\n# TYPE sluice_\(family) \(type)\n\(lines.joined())"
  }

  private func labelled(_ label: String, _ counts: [String: Int]) -> [(suffix: String, value: String)] {
    counts.map { ("{\(label)=\"\($0.key)\"}", "\($0.value)") }
  }
}

extension MetricsReport {
  /// What a service has to show now.
  @Loop package init(of service: BackupService) async {
    let check = await service.directoryCheck()
    let (registry, ledger) = (service.registry, service.ledger)
    let holds = registry.records.compactMap(\.hold)
    self.init(version: Service.version, state: ledger.state)
    (isReady, space) = (check.problem == nil, check.space)
    running = registry.running.count
    suspended = registry.suspended.count
    bytesUnderWay = ledger.bytesUnderWay
    oldestSnapshot = holds.map(\.since).min().map { ContinuousClock.now - $0 } ?? .zero
    walGrowth = holds.map(\.walGrowth).max() ?? 0
    connectionsOpen = ledger.connections.open
    connectionsAccepted = ledger.connections.accepted
  }
}
