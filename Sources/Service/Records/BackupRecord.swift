package import Archive
import Delta
package import EventLoop
package import HTTP1
package import Logging
package import System
import Systemd

/// What is known of one backup, and what the log says of it.
@Loop package final class BackupRecord {
  /// More lines than this would fill a log; the manifest names all.
  package nonisolated static let maximumSkippedLines = 32

  /// Whether only its head has been asked for.
  package var isForHead: Bool
  /// Whether `?db=` chose the databases.
  package let isSelection: Bool
  /// What its client names the archive by, if it does.
  package let archiveName: String?
  /// Whether another archive has begun by that name.
  package var isSuperseded = false
  package let begun: ContinuousClock.Instant
  /// Since when the session works on a call; nil if the service waits for the client.
  package private(set) var sessionBusySince: ContinuousClock.Instant?
  /// Uncompressed, once it has ended.
  package var bytesRead: UInt64 = 0
  /// The databases whose WALs were left when they were released; see `logLeftWALs`.
  package var leftWALs: [String] = []
  package var delivery = Delivery()
  /// What is known of the archive, once its snapshots are held.
  package var preamble: BackupSession.Preamble?
  /// Whether it is among those that were started.
  package var isCounted = false
  /// What its snapshots cost the application, as of the last look.
  package var hold: BackupSession.Hold?
  /// How far its content has been read, as of the last look, in bytes.
  package private(set) var contentRead: UInt64 = 0
  private var contentReadAt: ContinuousClock.Instant?
  /// Tells it from the others, in the log too.
  package let id: String
  /// Where its client is, as the log has it.
  package private(set) var client: String
  private let advice: Advice
  private var log: Logger
  private var skippedCount = 0

  package init(
    _ request: RequestHead, from peer: SocketAddress, _ logger: Logger, _ advice: Advice = Advice(),
    begun: ContinuousClock.Instant = .now
  ) {
    isForHead = request.method == .head
    isSelection = request.target.query.contains { $0.name == "db" }
    archiveName = request.archiveName
    self.begun = begun
    self.advice = advice
    log = logger
    id = String(UInt32.random(in: 0 ... .max), radix: 16)
    client = request.client(peer)
    log[metadataKey: "backup"] = "\(id)"
    log[metadataKey: "client"] = "\(client)"
  }

  /// Notes for how long the session works on a call.
  package func timingSessionCall<T, Failure: Error>(
    _ body: () async throws(Failure) -> T
  ) async throws(Failure) -> T {
    sessionBusySince = .now
    defer { sessionBusySince = nil }
    return try await body()
  }

  /// How often the session is asked how far it has come.
  private nonisolated static let progressInterval = Duration.seconds(1)

  /// Whether to ask it.
  package var isProgressOld: Bool {
    contentReadAt.map { ContinuousClock.now - $0 >= Self.progressInterval } ?? true
  }

  package func noteProgress(_ byteCount: UInt64) {
    contentRead = byteCount
    contentReadAt = .now
  }

  private var durationField: Logger.Metadata.Value { "\((ContinuousClock.now - begun).microseconds)" }

  // MARK: the log's lines

  /// Logs what could not be taken.
  package func logSkipped(_ skipped: [Skipped]) {
    skippedCount = skipped.count
    for skipped in skipped.prefix(Self.maximumSkippedLines) {
      log.warning(
        "skipped",
        metadata: [
          "database": "\(printable(skipped.path))", "reason": "\(skipped.reason)",
          "detail": "\(printable(advice.added(to: skipped.detail, for: skipped.reason)))",
        ])
    }
    if skipped.count > Self.maximumSkippedLines {
      log.warning("skipped more, which the manifest names", metadata: ["skipped": "\(skipped.count)"])
    }
  }

  /// Logs which databases were left with rows in their WALs that no process had open. As a rule the application has closed
  /// them meanwhile, and SQLite's last connection, which moves those rows, was not its own.
  package func logLeftWALs() {
    for name in leftWALs.prefix(Self.maximumSkippedLines) {
      log.warning(
        "write-ahead log left",
        metadata: ["database": "\(printable(name))", "detail": "\(Self.leftWALAdvice)"])
    }
    if leftWALs.count > Self.maximumSkippedLines {
      log.warning("more write-ahead logs left", metadata: ["left": "\(leftWALs.count)"])
    }
  }

  /// What to know of such a database.
  package nonisolated static let leftWALAdvice =
    "no process has it open, and its last rows are in its -wal alone: move or copy both files together, or open and close it "
    + "once with its application"

  /// Logs that a database is held no longer, though its client has yet to read it.
  package func logDetached(_ path: String, _ byteCount: UInt64) {
    log.notice(
      "database released before it was sent",
      metadata: [
        "database": "\(printable(path))", "bytes": "\(byteCount)",
        "detail":
          "the client is slow, and what it has yet to get of this database was copied into the spool directory",
      ])
  }

  /// Logs that the next archive cannot be sent as a delta of this one.
  package func logHistoryFailure(_ error: SystemError) {
    let detail =
      error.isOverBudget
      ? advice.added(to: "its digests would be larger than all may be together", for: "delta-budget")
      : error.description
    log.warning(
      "delta history not written: the next backup is sent whole",
      metadata: ["detail": "\(printable(detail))"])
  }

  /// Logs that the client has it.
  package func logUnchanged() {
    log[metadataKey: "duration_us"] = durationField
    log.info("backup unchanged")
  }

  /// Logs that the client was lost, and may return.
  package func logLost(_ failure: BackupFailure, for grace: Duration) {
    let detail = advice.added(to: failure.detail, for: failure.reason)
    log.notice(
      "backup interrupted",
      metadata: [
        "reason": "\(failure.reason)", "detail": "\(printable(detail)); it is kept for \(grace)",
        "bytes": "\(delivery.byteCount)",
      ])
  }

  /// Logs that its client need not return.
  package func logDiscarded(_ reason: String, _ detail: String) {
    log.notice("interrupted backup given up", metadata: ["reason": "\(reason)", "detail": "\(detail)"])
  }

  /// Logs that the client has returned.
  package func logResumed(_ request: RequestHead, from peer: SocketAddress, at offset: UInt64) {
    client = request.client(peer)
    log[metadataKey: "client"] = "\(client)"
    log.info("backup resumed", metadata: ["bytes": "\(offset)"])
  }

  /// Logs how it ended.
  package func logEnd(_ outcome: BackupOutcome, _ failure: BackupFailure?) {
    log[metadataKey: "bytes"] = "\(delivery.byteCount)"
    log[metadataKey: "duration_us"] = durationField
    if let delta = preamble?.delta { log[metadataKey: "delta_base"] = "\(delta.base)" }
    if let failure {
      let detail = advice.added(to: failure.detail, for: failure.reason)
      log.log(
        level: failure.level, failure.isOfRequest ? "backup refused" : "backup failed",
        metadata: ["reason": "\(failure.reason)", "detail": "\(printable(detail))"])
    } else if !isForHead {
      log.info(
        outcome == .ranges ? "ranges of a backup sent" : "backup sent",
        metadata: ["skipped": "\(skippedCount)"])
    }
  }
}

extension RequestHead {
  /// The client, for the log: what a proxy on this machine says of it, else the other end of the connection.
  ///
  /// A proxy adds the address that it sees at the end of `X-Forwarded-For`; what stands before that is hearsay.
  package func client(_ peer: SocketAddress) -> String {
    // The other end of a Unix socket has no address.
    let direct = if case .unix = peer { "unix" } else { printable(peer.description) }
    guard peer.isLocal, let list = values("X-Forwarded-For").last else { return direct }
    let last = list.split { $0 == "," || $0 == " " || $0 == "\t" }.last ?? ""
    // Anything else could be anything, and a secret among it.
    let isAddress = ["\(last):0", "[\(last)]:0", "\(last)"].contains { SocketAddress($0) != nil }
    return isAddress && !last.hasPrefix("unix:") ? String(last) : direct
  }
}
