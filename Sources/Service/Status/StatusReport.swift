import Archive
import Crypto
import EventLoop
import System

/// What the page shows and `/status.json` says: everything that a service knows of itself at one moment.
package struct StatusReport: Sendable {
  /// A backup that runs, or is held for a client that was lost.
  package struct UnderWay: Sendable {
    package enum Phase: String, Sendable {
      /// Its snapshots are being taken.
      case preparing
      case sending
      case suspended
    }

    package var id: String
    package var client: String
    package var phase: Phase
    package var isSelection: Bool
    /// Since its request.
    package var age: Duration
    /// As far as the client has it, in bytes.
    package var sent: UInt64
    /// Of the archive; nil if only its end tells.
    package var archiveSize: UInt64?
    /// What goes in, uncompressed, and how much of it has been read; the size is nil while it is being prepared.
    package var contentSize: UInt64?
    package var contentRead: UInt64
    /// Nil if it holds no snapshot.
    package var snapshotAge: Duration?
    package var walGrowth: UInt64
    /// For how long its client may still resume it; nil unless it is suspended.
    package var resumableFor: Duration?

    /// How much of it is done, in thousandths; nil if that is not known.
    package var thousandths: Int? {
      let (done, whole) = archiveSize.map { (sent, $0) } ?? (contentRead, contentSize ?? 0)
      guard whole > 0 else { return nil }
      return Int(min(1000, Double(done) / Double(whole) * 1000))
    }
  }

  /// The application's name.
  package var name: String
  package var version: String
  package var problem: DirectoryCheck.Problem?
  package var advice = Advice()
  /// Seconds since 1970.
  package var now: Int
  package var uptime: Duration
  package var needsToken: Bool
  package var slotCount: Int
  package var underWay: [UnderWay]
  package var state: ServiceState
  /// Nil if it was not asked for.
  package var directory: OverviewCache.Known?

  /// `ok`, `degraded` or `failing`, as `/healthz` has it.
  package var status: String { problem?.status ?? "ok" }

  package var detail: String? {
    problem.map { advice.added(to: $0.detail, for: $0.reason) }
  }

  /// Another text as soon as something has begun or ended: what is only further on has the same.
  package var tag: String {
    let counts = state.counts
    let ended = [counts.completed, counts.selected, counts.aborted].flatMap(\.values).reduce(0, +)
    let parts =
      [status, "\(ended)", "\(state.history.last?.ended ?? 0)", "\(state.lastComplete?.ended ?? 0)"]
      + underWay.map { "\($0.id) \($0.phase.rawValue)" }
    return SHA256.hash(data: Array(parts.joined(separator: "\n").utf8)).prefix(8).hexadecimal
  }
}

extension BackupService {
  /// - Parameter listsDirectory: whether what a backup would take is shown, for which every database may be opened once.
  package func statusReport(listsDirectory: Bool) async -> StatusReport {
    let problem = await directoryProblem()
    let directory = listsDirectory ? await overview.current() : nil
    let now = ContinuousClock.now
    let suspended = registry.suspended
    return StatusReport(
      name: name, version: version, problem: problem, advice: advice,
      now: Int(FileSystem.now() / 1_000_000_000), uptime: now - started, needsToken: tokens != nil,
      slotCount: registry.limits.slotCount,
      underWay: registry.running.map { StatusReport.UnderWay($0, now) }
        + suspended.map { transfer in
          var underWay = StatusReport.UnderWay(transfer.record, now)
          underWay.phase = .suspended
          underWay.resumableFor = transfer.state.deadline.map { max(.zero, now.duration(to: $0)) }
          return underWay
        },
      state: ledger.state, directory: directory)
  }
}

extension StatusReport.UnderWay {
  @Loop fileprivate init(_ record: BackupRecord, _ now: ContinuousClock.Instant) {
    self.init(
      id: record.id, client: record.client, phase: record.preamble == nil ? .preparing : .sending,
      isSelection: record.isSelection, age: now - record.begun, sent: record.delivery.byteCount,
      archiveSize: record.preamble.flatMap { $0.delta == nil ? $0.archiveSize : nil },
      contentSize: record.preamble?.contentSize,
      contentRead: max(record.contentRead, record.bytesRead),
      snapshotAge: record.hold.map { now - $0.since },
      walGrowth: record.hold?.walGrowth ?? 0)
  }
}
