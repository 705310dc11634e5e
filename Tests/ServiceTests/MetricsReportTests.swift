import HTTP1
@testable import Service
import System
import Testing

/// The text that Prometheus reads.
struct MetricsReportTests {
  private var report: MetricsReport {
    var state = ServiceState(dataDirectory: "/data")
    state.counts.started = 7
    state.counts.completed = ["complete": 3, "incomplete": 1]
    state.counts.selected["complete"] = 2
    state.counts.aborted["low-space"] = 1
    state.counts.bytesRead = 100
    state.counts.bytesSent = 40
    state.counts.seconds = 1.5
    state.counts.leftWALs = 4
    state.lastComplete = ServiceState.Complete(
      ended: 1_700_000_000, tag: "a-1", databases: 2, bytes: 40, skewMilliseconds: 250)
    var report = MetricsReport(version: "1.2.3", state: state)
    report.running = 2
    report.suspended = 1
    report.bytesUnderWay = 5
    report.oldestSnapshot = .milliseconds(2500)
    report.walGrowth = 4096
    report.connectionsOpen = 3
    report.connectionsAccepted = 9
    return report
  }

  private func lines(of report: MetricsReport) -> [String] {
    report.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  @Test(arguments: [
    #"build_info{version="1.2.3"} 1"#, "backups_started_total 7",
    #"backups_completed_total{outcome="complete"} 3"#, #"backups_completed_total{outcome="incomplete"} 1"#,
    #"selected_backups_completed_total{outcome="complete"} 2"#,
    #"backups_aborted_total{reason="client-left"} 0"#, #"backups_aborted_total{reason="low-space"} 1"#,
    #"requests_rejected_total{reason="unauthorized"} 0"#, "requests_unchanged_total 0", "backups_running 2",
    "backups_kept 1", "backups_resumed_total 0", "read_bytes_total 100", "sent_bytes_total 45",
    "backup_duration_seconds_sum 1.5", "backup_duration_seconds_count 7", "snapshot_age_seconds 2.5",
    "wal_growth_bytes 4096", "wal_left_total 4", "connections 3", "connections_accepted_total 9",
    "last_success_timestamp_seconds 1700000000", "last_success_bytes 40", "last_success_databases 2",
    "last_success_skew_seconds 0.25",
  ])
  func `has each figure once`(_ sample: String) {
    #expect(lines(of: report).filter { $0 == "sluice_\(sample)" }.count == 1)
  }

  @Test func `shows zeros as long as there was no backup`() {
    let lines = lines(of: MetricsReport(version: "1", state: ServiceState(dataDirectory: "/data")))
    for name in ["timestamp_seconds", "bytes", "databases"] {
      #expect(lines.contains("sluice_last_success_\(name) 0"))
    }
    let samples = lines.filter {
      !$0.hasPrefix("#") && !$0.isEmpty && !$0.contains("build_info") && $0 != "sluice_ready 1"
    }
    #expect(samples.count > 20)
    #expect(samples.allSatisfy { $0.hasSuffix(" 0") || $0.hasSuffix(" 0.0") })
  }

  /// https://prometheus.io/docs/instrumenting/exposition_formats/: help, type and samples of a metric, each metric once.
  @Test func `has help, type and samples of one metric after the other`() throws {
    var families: [String] = []
    let lines = lines(of: report)
    #expect(lines.last == "")
    for line in lines.dropLast() {
      let words = line.split(separator: " ")
      if line.hasPrefix("# HELP ") {
        families.append(String(words[2]))
        #expect(words.count > 3)
        continue
      }
      let family = try #require(families.last)
      if line.hasPrefix("# TYPE ") {
        #expect(words[2] == family)
        #expect(["counter", "gauge", "summary"].contains(words[3]))
        // https://prometheus.io/docs/practices/naming/: a counter's name ends in _total, and no other's.
        #expect((words[3] == "counter") == family.hasSuffix("_total"))
      } else {
        #expect(line.hasPrefix(family))
        #expect(words.count == 2)
        #expect(Double(words[1]) != nil)
      }
    }
    #expect(Set(families).count == families.count)
  }

  @Test func `has the room of the data directory if it is known`() {
    var report = report
    #expect(!report.text.contains("sluice_data_"))
    report.space = FileSystemSpace(of: "/")
    #expect(
      report.text.contains("\nsluice_data_free_bytes ") && report.text.contains("\nsluice_data_size_bytes "))
    report.isReady = false
    #expect(lines(of: report).contains("sluice_ready 0"))
  }

  /// https://prometheus.io/docs/specs/om/open_metrics_spec/: a counter's family has no `_total`, and the end is marked.
  @Test func `is OpenMetrics, too`() {
    var report = report
    report.format = .openMetrics
    let lines = lines(of: report)
    #expect(lines.suffix(2) == ["# EOF", ""])
    #expect(lines.contains("# TYPE sluice_backups_started counter"))
    #expect(lines.contains("sluice_backups_started_total 7"))
    #expect(!lines.contains { $0.hasPrefix("# ") && $0.contains("_total ") })
    #expect(!self.lines(of: self.report).contains("# EOF"))
  }

  @Test(
    arguments: [
      ([], false), (["Accept: */*"], false), (["Accept: text/plain"], false),
      (["Accept: application/openmetrics-text"], true),
      (["Accept: Application/OpenMetrics-Text; version=1.0.0"], true),
      (["Accept: application/openmetrics-text;version=2.0.0"], false),
      (["Accept: application/openmetrics-text;q=0"], false),
      (["Accept: application/openmetrics-text;q=nonsense"], false),
      (["Accept: application/openmetrics-text;q=0.4,text/plain;q=0.5"], false),
      (["Accept: text/plain;q=0.5", "Accept: application/openmetrics-text;q=0.5"], true),
      (
        [
          "Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
            + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        ], true
      ),
    ] as [([String], Bool)])
  func `is written as the client would rather have it`(_ fields: [String], _ isOpenMetrics: Bool) throws {
    let format = MetricsReport.Format(for: AcceptedMedia(try request(["GET /metrics"] + fields)))
    #expect((format == .openMetrics) == isOpenMetrics)
  }
}
