package import Archive
package import EventLoop
package import HTTP1
import System

/// Some positions of an archive.
package struct ArchivePart {
  package let positions: Range<UInt64>
  /// Whether everything from a byte on was asked for: a client that has it needs no more.
  package let isRest: Bool
}

/// The bytes of one archive, or of a delta that makes it: the last ones are retained, earlier ones can be made again as long as the snapshots are held, and
/// later ones are made when they are asked for.
@Loop package final class ArchiveBytes {
  package let preamble: BackupSession.Preamble
  /// Whether the last byte has been made. No snapshot is held any more then.
  package private(set) var isComplete = false
  /// Whether the SHA-256 of the whole is known at its end.
  package let isHashed: Bool
  package private(set) var digest: [UInt8]?
  /// Of the delta, if it is one.
  package private(set) var deltaDigest: [UInt8]?

  private let session: BackupSession
  private var output = RetainedOutput()
  /// How much had been made before it was rewound, at the most.
  private var furthestEnd: UInt64 = 0
  private let sessionEnded = Condition()

  package init(_ session: BackupSession, _ preamble: BackupSession.Preamble, isHashed: Bool) {
    self.session = session
    self.preamble = preamble
    self.isHashed = isHashed
  }

  /// In bytes; nil as long as it is unknown.
  package var length: UInt64? {
    if isComplete { return output.end }
    return preamble.delta == nil ? preamble.archiveSize : nil
  }

  /// Behind the last byte that was made.
  package var end: UInt64 { output.end }

  /// What `ResumeRequest` decides by; whether it can be rewound, only `canRewind` tells.
  package func facts(target: String) -> HeldArchive {
    HeldArchive(
      target: target, tag: preamble.tag, length: length, retained: output.start..<output.end,
      furthestEnd: furthestEnd, canRewind: false, delta: preamble.delta)
  }

  /// Whether it can be made again from its first byte.
  package var canRewind: Bool { get async { await session.canRewind } }

  /// - Throws: `unsatisfiable` if it is known to end before a range.
  package func requireSatisfiable(_ range: ByteRange) throws(TransferError) {
    guard let length, range.positions(in: length)?.isEmpty ?? false else { return }
    throw .unsatisfiable(length: length)
  }

  /// Gets ready to send a range that is held, and not empty.
  ///
  /// - Returns: nil if it is not held any more.
  package func prepare(_ range: ByteRange) async -> ArchivePart? {
    var facts = facts(target: "")
    if facts.dependsOnRewinding(range) { facts.canRewind = await canRewind }
    guard facts.holds(range), let positions = range.positions(in: length) else { return nil }
    if positions.lowerBound < output.start {
      furthestEnd = max(furthestEnd, output.end)
      guard await session.rewind() else { return nil }
      output = RetainedOutput()
    }
    return ArchivePart(positions: positions, isRest: range.isOpen)
  }

  /// Makes the next bytes.
  ///
  /// - Returns: false after the last one; the snapshots are released then.
  /// - Throws: why there are no more.
  package func makeMore(_ record: BackupRecord) async throws(BackupError) -> Bool {
    let chunk: [[UInt8]]?
    do {
      chunk = try await record.timingSessionCall { () async throws(BackupError) in try await session.next() }
    }
    guard let chunk else {
      await complete(record)
      return false
    }
    output.append(chunk)
    if record.isProgressOld { record.noteProgress(await session.bytesRead) }
    return true
  }

  /// What is in memory of some positions.
  package func pieces(_ positions: Range<UInt64>) -> [[UInt8]] { output.pieces(positions) }

  /// Retains no more than the last `count` bytes, or as many as their pieces have.
  package func trim(to count: Int) { output.trim(to: count) }

  /// Takes what was made for the whole.
  package func complete(_ record: BackupRecord) async {
    digest = await session.digest
    deltaDigest = await session.deltaDigest
    isComplete = true
    await close(record)
  }

  /// Watches the session's limits until it is closed: a client that takes nothing must not hold a snapshot past them.
  ///
  /// - Throws: as soon as a limit is passed; the snapshots are released by then.
  package func watchLimits(_ record: BackupRecord) async throws(BackupError) {
    try await session.watchLimits(
      pause: { await sessionEnded.wait(until: .now + $0) }, observe: { record.hold = $0 },
      detached: record.logDetached)
  }

  /// Whether an application is at a checkpoint of a database that is held.
  package func isBeingCheckpointed() async -> Bool { await session.isBeingCheckpointed }

  /// Keeps the digests of what the client has now, for a delta of the next archive.
  package func publishHistory(_ record: BackupRecord) async {
    if let error = await session.publishHistory() { record.logHistoryFailure(error) }
  }

  /// Releases all that is held, and the history: no client has got the whole, if there is one yet.
  ///
  /// - Returns: what `close` does.
  @discardableResult
  package func discard(_ record: BackupRecord) async -> BackupError? {
    let reason = await close(record)
    await session.discardHistory()
    return reason
  }

  /// Releases all that is held.
  ///
  /// - Returns: why the session had ended before the archive was complete, which says more than that the connection did.
  @discardableResult
  package func close(_ record: BackupRecord) async -> BackupError? {
    sessionEnded.notify()
    record.bytesRead = await session.bytesRead
    let reason = await session.close()
    record.leftWALs = await session.leftWALs
    return isComplete ? nil : reason
  }
}
