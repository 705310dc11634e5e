package import Archive
package import EventLoop
package import HTTP1
package import Logging
import System
import Systemd

/// One backup under way, and what the log says of it.
@Loop package final class RunningBackup {
  /// More lines than this would fill a log; the manifest names all.
  package nonisolated static let maximumSkippedLines = 32

  /// Whether only its head has been asked for.
  package var isForHead: Bool
  /// Whether `?db=` chose the databases.
  package let isSelection: Bool
  package let begun = ContinuousClock.now
  /// Since when the session has been asked for something; nil while it is the client who is waited for.
  package private(set) var isAskedSince: ContinuousClock.Instant?
  /// Uncompressed, once it has ended.
  package var bytesRead: UInt64 = 0
  /// The databases whose logs were left when they were released; see `logLeftLogs`.
  package var leftLogs: [String] = []
  /// Of the archive, as far as it was sent.
  package private(set) var byteCount: UInt64 = 0
  /// Of its beginning, as far as nothing is missing.
  private var gaplessByteCount: UInt64 = 0
  /// The same, with what was on its way when a connection broke.
  private var offeredByteCount: UInt64 = 0
  /// What is known of the archive, once its snapshots are held.
  package var preamble: BackupSession.Preamble?
  /// Whether it is among those that were started.
  package var isCounted = false
  /// What its snapshots cost the application, as of the last look.
  package var hold: BackupSession.Hold?
  private var log: Logger
  private var skippedCount = 0

  package init(_ request: RequestHead, from peer: SocketAddress, _ logger: Logger) {
    isForHead = request.method == .head
    isSelection = request.target.query.contains { $0.name == "db" }
    log = logger
    log[metadataKey: "backup"] = "\(String(UInt32.random(in: 0 ... .max), radix: 16))"
    log[metadataKey: "client"] = "\(request.client(peer))"
  }

  /// Asks the session for something.
  package func asking<T>(_ body: () async throws -> T) async rethrows -> T {
    isAskedSince = .now
    defer { isAskedSince = nil }
    return try await body()
  }

  /// Notes what is being sent: of this, a client whose connection breaks may have any part.
  package func sends(_ range: Range<UInt64>) {
    if range.lowerBound <= gaplessByteCount { offeredByteCount = max(offeredByteCount, range.upperBound) }
  }

  /// Notes what the client took. One that asks for ranges may leave some out.
  package func sent(_ range: Range<UInt64>) {
    byteCount = max(byteCount, range.upperBound)
    if range.lowerBound <= gaplessByteCount { gaplessByteCount = max(gaplessByteCount, range.upperBound) }
  }

  /// Notes that a client asks for all from an offset on: it has what stands before, if that was ever sent.
  package func goesOn(at offset: UInt64) {
    if offset <= offeredByteCount { gaplessByteCount = max(gaplessByteCount, offset) }
  }

  /// Whether the client took every byte of it, be it over several connections.
  package func isDelivered(_ length: UInt64?) -> Bool { gaplessByteCount == length }

  /// Logs what could not be taken.
  package func logSkipped(_ skipped: [Skipped]) {
    skippedCount = skipped.count
    for skipped in skipped.prefix(Self.maximumSkippedLines) {
      log.warning(
        "skipped",
        metadata: [
          "database": "\(printable(skipped.path))", "reason": "\(skipped.reason)",
          "detail": "\(printable(skipped.advice))",
        ])
    }
    if skipped.count > Self.maximumSkippedLines {
      log.warning("skipped more, which the manifest names", metadata: ["skipped": "\(skipped.count)"])
    }
  }

  /// Logs which databases were left with rows in their logs that no process had open. As a rule the application has closed
  /// them meanwhile, and SQLite's last connection, which moves those rows, was not its own.
  package func logLeftLogs() {
    for name in leftLogs.prefix(Self.maximumSkippedLines) {
      log.warning(
        "write-ahead log left",
        metadata: ["database": "\(printable(name))", "detail": "\(Self.leftLogAdvice)"])
    }
    if leftLogs.count > Self.maximumSkippedLines {
      log.warning("more write-ahead logs left", metadata: ["left": "\(leftLogs.count)"])
    }
  }

  /// What to know of such a database.
  package static let leftLogAdvice =
    "no process has it open, and its last rows are in its -wal alone: move or copy both files together, or open and close it "
    + "once with its application"

  /// Logs that the client has it.
  package func logUnchanged() {
    log[metadataKey: "duration_us"] = "\((ContinuousClock.now - begun).microseconds)"
    log.info("backup unchanged")
  }

  /// Logs that the client was lost, and may come back.
  package func logLost(_ failure: BackupFailure, for grace: Duration) {
    log.notice(
      "backup interrupted",
      metadata: [
        "reason": "\(failure.reason)", "detail": "\(printable(failure.detail)); it is kept for \(grace)",
        "bytes": "\(byteCount)",
      ])
  }

  /// Logs that the client need not come back.
  package func logGivingWay(reason: String, detail: String) {
    log.notice("interrupted backup given up", metadata: ["reason": "\(reason)", "detail": "\(detail)"])
  }

  /// Logs that the client is back.
  package func logResumed(_ request: RequestHead, from peer: SocketAddress, at offset: UInt64) {
    log[metadataKey: "client"] = "\(request.client(peer))"
    log.info("backup resumed", metadata: ["bytes": "\(offset)"])
  }

  /// Logs how it ended.
  package func logEnd(_ outcome: BackupService.Outcome, _ failure: BackupFailure?) {
    log[metadataKey: "bytes"] = "\(byteCount)"
    log[metadataKey: "duration_us"] = "\((ContinuousClock.now - begun).microseconds)"
    if let failure {
      log.log(
        level: failure.level, failure.isOfRequest ? "backup refused" : "backup failed",
        metadata: ["reason": "\(failure.reason)", "detail": "\(printable(failure.detail))"])
    } else if !isForHead {
      log.info(
        outcome == .ranges ? "ranges of a backup sent" : "backup sent",
        metadata: ["skipped": "\(skippedCount)"])
    }
  }
}

/// A client that takes an archive slowly has held a place longer than a backup may, and another needs it.
package struct PlaceTooOld: Error {
  package let limit: Duration
}

/// Why a backup was not sent to its end.
package struct BackupFailure {
  /// In one stable word for programs.
  package let reason: String
  /// For people.
  package let detail: String

  /// - Parameter isStopping: whether the service broke off what it had not finished.
  package init(_ error: any Error, isStopping: Bool) {
    switch error {
    case BackupError.cancelled where isStopping:
      (reason, detail) = ("stopping", "it was not finished within --drain-timeout")
    case let error as BackupError: (reason, detail) = (error.reason, error.advice)
    case let error as PlaceTooOld:
      (reason, detail) = (
        "place-age",
        "it took longer than \(error.limit), see --max-snapshot-age, and another backup needed its place"
      )
    case let error as SystemError where error.isTimeout:
      (reason, detail) = (
        "client-stalled", "the client's kernel confirmed no byte for as long as --stall-timeout allows"
      )
    case let error as SystemError where error.isCancelled && isStopping:
      (reason, detail) = ("stopping", "it was not finished within --drain-timeout")
    case let error as SystemError where error.isShortage:
      (reason, detail) = ("system", "this machine has no more memory for the connection: \(error)")
    case let error as SystemError: (reason, detail) = ("client-left", "the connection was lost: \(error)")
    default: (reason, detail) = ("internal", "\(error)")
    }
  }

  /// Whether what was asked for cannot be: no backup of ours has failed.
  package var isOfRequest: Bool { ["invalid-name", "unknown-database"].contains(reason) }

  /// What the client did is worth a note; what we could not do, somebody's attention.
  package var level: Logger.Level {
    switch reason {
    case _ where isOfRequest: .notice
    case "client-left", "strict": .notice
    case "client-stalled", "place-age", "stopping", "snapshot-age", "wal-growth", "low-space": .warning
    default: .error
    }
  }
}

extension RequestHead {
  /// Who asks, for the log: what a proxy on this machine says of it, else the other end of the connection.
  ///
  /// A proxy adds the address that it sees at the end of `X-Forwarded-For`; what stands before that is hearsay.
  fileprivate func client(_ peer: SocketAddress) -> String {
    // The other end of a Unix socket has no address.
    let direct = if case .unix = peer { "unix" } else { printable(peer.description) }
    guard peer.isLocal, let list = values("X-Forwarded-For").last else { return direct }
    let last = list.split { $0 == "," || $0 == " " || $0 == "\t" }.last ?? ""
    // Anything else could be anything, and a secret among it.
    let isAddress = ["\(last):0", "[\(last)]:0", "\(last)"].contains { SocketAddress($0) != nil }
    return isAddress && !last.hasPrefix("unix:") ? String(last) : direct
  }
}
