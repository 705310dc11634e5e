package import Archive
package import EventLoop
import Glibc
package import HTTP1
import System

/// One archive on its way to a client, over as many connections as that takes: what was sent last is retained, and whoever
/// lost the connection goes on where it was, with the very same snapshots.
@Loop package final class Transfer {
  /// What is retained beyond the bytes that the other end has not confirmed, in bytes. Kernels and proxies may hold more (31 MB
  /// were measured): that is made again, as long as the snapshots are held. After that, only what is retained is left.
  private static let margin = 512 << 10
  /// The same for a client of a proxy that says so, whose kernel may hold as much as Linux lets a connection send ahead.
  private static let proxyMargin = 3 << 20
  /// The most that is retained, in bytes.
  private static let maximumRetained = 8 << 20
  /// How many pieces one write is made of, at the most: see `Socket.send`.
  private static let piecesPerWrite = 32

  /// Some positions of an archive.
  package struct Part {
    package let positions: Range<UInt64>
    /// Whether everything from a byte on was asked for: a client that has it needs no more.
    package let isRest: Bool
  }

  /// As it was asked for.
  package let target: String
  /// Whether its client has a name for it by which it may ask for any part, in any order, its head first perhaps.
  package let readsParts: Bool
  package let preamble: BackupSession.Preamble
  package let backup: RunningBackup
  /// Until when a client that was lost may come back; nil while there is one, and when nobody may any more.
  package var keptUntil: ContinuousClock.Instant?
  /// Why the last client was lost.
  package var loss: (any Error)?
  /// Whether the log and the metrics have been told how it ended.
  package var isCountedOut = false
  /// Announced when `keptUntil` changes.
  package let changed = Condition()
  /// Whether the last byte has been made; no snapshot is held any more then.
  package private(set) var isWhole = false

  private let session: BackupSession
  private let hashesArchive: Bool
  private var digest: [UInt8]?
  private var output = RetainedOutput()
  /// How much had been made before it was begun anew, at the most.
  private var furthestEnd: UInt64 = 0
  private var client: Response?
  private var hasBegun = false
  private var hasFailed = false
  private let sessionEnded = Condition()

  /// Watches the session's limits from now on.
  ///
  /// - Parameter onFailure: is called when one is passed.
  package init(
    _ session: BackupSession, _ preamble: BackupSession.Preamble, _ backup: RunningBackup, target: String,
    readsParts: Bool, hashesArchive: Bool, onFailure: @escaping @Loop (Transfer) -> Void
  ) {
    self.session = session
    self.preamble = preamble
    self.backup = backup
    self.target = target
    self.readsParts = readsParts
    self.hashesArchive = hashesArchive
    // A client that takes nothing, or is gone, must not hold a snapshot past its limits.
    Loop.start { [self] in
      do {
        try await session.watchLimits(pause: { await sessionEnded.wait(until: .now + $0) }) {
          backup.hold = $0
        }
      } catch {
        hasFailed = true
        client?.breakOff()
        onFailure(self)
      }
    }
  }

  /// In bytes; nil while nobody knows it.
  package var length: UInt64? { isWhole ? output.end : preamble.archiveSize }

  /// Whether a client that has lost its connection may go on with another.
  package var canGoOn: Bool { (hasBegun || readsParts) && !hasFailed }

  /// Whether a client needs nothing more once it has got a part, or the whole.
  package func endsAfter(_ part: Part?) -> Bool { !readsParts || part?.isRest ?? true }

  /// What `ResumeRequest` decides by; whether it can be rewound, only `canRewind` tells.
  package var facts: HeldArchive {
    HeldArchive(
      target: target, tag: preamble.tag, length: length, retained: output.start..<output.end,
      furthestEnd: furthestEnd, canRewind: false)
  }

  /// Whether it can be made again from its first byte.
  package var canRewind: Bool { get async { await session.canRewind } }

  private func holds(_ range: ByteRange) async -> Bool {
    var facts = facts
    if facts.dependsOnRewinding(range) { facts.canRewind = await canRewind }
    return facts.holds(range)
  }

  /// Gets ready to send a range that is held, and not empty.
  ///
  /// - Returns: nil if it is not held any more.
  package func prepare(_ range: ByteRange) async -> Part? {
    guard await holds(range), let positions = range.positions(in: length) else { return nil }
    if positions.lowerBound < output.start {
      furthestEnd = max(furthestEnd, output.end)
      guard await session.rewind() else { return nil }
      output = RetainedOutput()
    }
    return Part(positions: positions, isRest: range.isOpen)
  }

  /// Ends the connection that it is being sent over.
  package func breakOff() { client?.breakOff() }

  /// Sends the archive, or some positions of it, as fast as the client reads it.
  ///
  /// - Parameter part: what `prepare` has returned; nil for the whole.
  /// - Throws: a `BackupError` when there is no more of it; `SystemError` when the client takes it no further.
  package func send(_ part: Part?, for request: RequestHead, to response: Response) async throws {
    client = response
    defer { client = nil }
    let hasTrailer = hashesArchive && request.takesTrailers && length == nil
    var head = preamble.head
    if let part {
      head.status = .partialContent
      head.fields.append(ByteRange.content(part.positions, of: length))
    }
    if hasTrailer { head.add("Trailer", ReprDigest.name) }
    let wanted = part?.positions ?? 0..<(length ?? .max)
    guard var body = try await response.begin(head, contentLength: length.map { _ in UInt64(wanted.count) })
    else {
      // Only the head was asked for.
      if !readsParts { await finish() }
      return
    }
    hasBegun = true
    let margin = request.values("X-Forwarded-For").isEmpty ? Self.margin : Self.proxyMargin
    var position = wanted.lowerBound
    while true {
      // Until the first of the wanted bytes is made, nothing is written that would tell.
      guard !Task.isCancelled else { throw SystemError(call: "sendmsg", errno: ECONNRESET) }
      let pieces = output.pieces(position..<max(position, wanted.upperBound))
      backup.sends(wanted.lowerBound..<max(position, min(output.end, wanted.upperBound)))
      for index in stride(from: 0, to: pieces.count, by: Self.piecesPerWrite) {
        try await body.write(Array(pieces[index..<min(index + Self.piecesPerWrite, pieces.count)]))
      }
      position = max(position, min(output.end, wanted.upperBound))
      backup.sent(wanted.lowerBound..<position)
      output.trim(to: min(response.unacknowledged + margin, Self.maximumRetained))
      // A client that has the last byte is sent no more, but the snapshots are released.
      guard !isWhole, position < wanted.upperBound || position == length && endsAfter(part) else { break }
      guard let chunk = try await backup.asking({ try await session.next() }) else {
        await finish()
        break
      }
      output.append(chunk)
    }
    try await body.finish(trailers: hasTrailer ? digest.map { [ReprDigest.field(sha256: $0)] } ?? [] : [])
  }

  /// Whether an application is at a checkpoint of what is held for the client: see `BackupSession`.
  package func isBeingCheckpointed() async -> Bool { await session.isBeingCheckpointed }

  private func finish() async {
    digest = await session.digest
    isWhole = true
    await close()
  }

  /// Releases all that is held.
  ///
  /// - Returns: why the session had ended before it was whole, which says more than that the connection did.
  @discardableResult
  package func close() async -> BackupError? {
    sessionEnded.notify()
    backup.bytesRead = await session.bytesRead
    let reason = await session.close()
    backup.leftLogs = await session.leftWALs
    return isWhole ? nil : reason
  }
}
