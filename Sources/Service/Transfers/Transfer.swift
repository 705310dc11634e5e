import Archive
package import EventLoop
import Glibc
package import HTTP1
import System

/// One archive on its way to a client, over as many connections as that takes, with the very same snapshots.
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

  /// As it was asked for.
  package let target: String
  /// Whether its client has a name for it by which it may ask for any part, in any order, its head first perhaps.
  package let servesParts: Bool
  package let archive: ArchiveBytes
  package let record: BackupRecord
  package private(set) var state: TransferState
  /// How it ended, for the log and the metrics: once, though its last bytes may be sent again after that.
  package var outcome: BackupOutcome?
  /// Announced when `state` changes.
  package let changed = Condition()

  package init(
    _ archive: ArchiveBytes, _ record: BackupRecord, target: String, servesParts: Bool,
    breakOff: @escaping TransferState.BreakOff
  ) {
    self.archive = archive
    self.record = record
    self.target = target
    self.servesParts = servesParts
    state = .opening(breakOff)
  }

  package var tag: EntityTag { archive.preamble.tag }

  package var facts: HeldArchive { archive.facts(target: target) }

  /// Whether the client took every byte of it, be it over several connections.
  package var isDelivered: Bool { archive.isComplete && record.delivery.isWhole(archive.length) }

  /// Whether a client that is lost now may return.
  package var isResumable: Bool { state.isResumable(isNamed: servesParts) }

  /// Whether a client needs nothing more once it has got a part, or the whole.
  package func endsAfter(_ part: ArchivePart?) -> Bool { !servesParts || part?.isRest ?? true }

  // MARK: transitions

  /// - Returns: false if no client may return.
  package func suspend(until deadline: ContinuousClock.Instant, loss: (any Error)?) -> Bool {
    defer { changed.notify() }
    return state.suspend(until: deadline, loss: loss, isNamed: servesParts)
  }

  /// - Returns: false if no client is waited for.
  package func resume(_ breakOff: @escaping TransferState.BreakOff) -> Bool {
    defer { changed.notify() }
    return state.resume(breakOff)
  }

  /// Ends it together with its connection, if it has one: no client may return.
  package func end(_ reason: (any Error)? = nil) { state.end(reason)?() }

  /// - Returns: false if it has been finished before.
  package func finish() -> Bool {
    defer { changed.notify() }
    return state.finish()
  }

  // MARK: sending

  /// Sends the archive, or some positions of it, as fast as the client reads it.
  ///
  /// - Parameter part: what `ArchiveBytes.prepare` has returned; nil for the whole.
  /// - Throws: a `BackupError` when there is no more of it; `SystemError` when the client takes it no further.
  package func send(_ part: ArchivePart?, for request: RequestHead, to response: Response) async throws {
    let length = archive.length
    let hasTrailer = archive.isHashed && request.takesTrailers && length == nil
    var head = archive.preamble.head
    if let part {
      head.status = .partialContent
      head.fields.append(ByteRange.content(part.positions, of: length))
    }
    // RFC 9530 §2 is about the content of one answer, and a part has not all of it.
    let hasContentDigest = hasTrailer && part == nil && archive.preamble.delta != nil
    if hasTrailer {
      head.add("Trailer", hasContentDigest ? "\(ReprDigest.name), \(ContentDigest.name)" : ReprDigest.name)
    }
    let asked = part?.positions ?? 0..<(length ?? .max)
    guard var body = try await response.begin(head, contentLength: length.map { _ in UInt64(asked.count) })
    else {
      // Only the head was asked for.
      if !servesParts { await archive.complete(record) }
      return
    }
    state.send()
    var position = asked.lowerBound
    let margin = request.values("X-Forwarded-For").isEmpty ? Self.margin : Self.proxyMargin
    repeat {
      // Until the first of the bytes that were asked for is made, nothing is written that would tell.
      guard !Task.isCancelled, !response.isBrokenOff else {
        throw SystemError(call: "sendmsg", errno: ECONNRESET)
      }
      try await write(asked, &position, to: &body)
      archive.trim(to: min(response.unacknowledged + margin, Self.maximumRetained))
      // A client that has the last byte is sent no more, but the snapshots are released.
    } while try await needsMore(asked, position, part)
    var trailers: [FieldLine] = []
    if hasTrailer, let digest = archive.digest { trailers.append(ReprDigest.field(sha256: digest)) }
    if hasContentDigest, let digest = archive.deltaDigest {
      trailers.append(ContentDigest.field(sha256: digest))
    }
    try await body.finish(trailers: trailers)
  }

  /// Writes what is in memory of the positions that were asked for.
  private func write(_ asked: Range<UInt64>, _ position: inout UInt64, to body: inout BodyWriter) async throws
  {
    let pieces = archive.pieces(position..<max(position, asked.upperBound))
    position = max(position, min(archive.end, asked.upperBound))
    record.delivery.offer(asked.lowerBound..<position)
    for index in stride(from: 0, to: pieces.count, by: Self.piecesPerWrite) {
      try await body.write(Array(pieces[index..<min(index + Self.piecesPerWrite, pieces.count)]))
    }
    record.delivery.confirm(asked.lowerBound..<position)
  }

  /// Makes more of the archive, unless the client has all that it asked for.
  ///
  /// - Returns: false if there is nothing more to send.
  private func needsMore(_ asked: Range<UInt64>, _ position: UInt64, _ part: ArchivePart?) async throws
    -> Bool
  {
    let isLast = position == archive.length && endsAfter(part)
    guard !archive.isComplete, position < asked.upperBound || isLast else { return false }
    return try await archive.makeMore(record)
  }
}
