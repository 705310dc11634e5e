package import Archive
import EventLoop
package import HTTP1
import Zip

extension BackupService {
  /// `GET /api/backup`: one zip, made as fast as the client reads it.
  package func backup(_ request: RequestHead, _ response: Response) async throws {
    var wanted: BackupSession.Request
    let known: EntityTags?
    do {
      wanted = try BackupSession.Request(request.target)
      known = try EntityTags("If-None-Match", of: request)
    } catch {
      metrics.state.counts.rejected["bad-request", default: 0] += 1
      throw error
    }
    if request.needsLength { wanted.compression = .store }
    // What is stored has a length instead, and no place for a trailer; and any range of it can be told. Of what is
    // compressed, a client only needs what it has lost, and that is no reason to stand in an application's way.
    let isStored = (wanted.compression ?? options.compression) == .store
    wanted.digest = request.takesTrailers && !isStored
    wanted.keepsRewindable = resumeGrace > .zero
    wanted.maximumHeldWALGrowth = isStored ? nil : resumeWALGrowth
    let (decision, held) = try await decide(request, isStored: isStored)
    if let refusal = decision.refusal { throw refusal }
    var part: ByteRange?
    var readsParts = false
    switch decision {
    case .head(let index):
      _ = try await response.begin(held[index].preamble.head, contentLength: held[index].length)
      return
    case .part(let range, let index): return try await resume(held[index], range, request, response)
    case .unsatisfiable(let index):
      try await takeOver(held[index])
      throw Self.unsatisfiable(length: held[index].length ?? 0)
    case .new(let range, let servesParts): (part, readsParts) = (range, servesParts)
    case .tagNotHeld, .nameNotHeld, .ambiguousRange: break
    }
    wanted.needsContent = request.method != .head || readsParts
    let backup = try begin(request, response)
    let transfer: Transfer
    do {
      guard
        let opened = try await open(
          wanted, unless: known, readsParts: readsParts, isPart: part != nil, request, response, backup)
      else {
        return endUnchanged(backup)
      }
      transfer = opened
    } catch {
      end(backup, .failed, error)
      throw (error as? BackupError)?.answer ?? error
    }
    transfers.append(transfer)
    if let part {
      do { try requireSatisfiable(part, of: transfer) } catch {
        keep(transfer)
        throw error
      }
    }
    let positions: Transfer.Part? = if let part { await transfer.prepare(part) } else { nil }
    try await run(transfer, positions, request, response)
  }

  /// Takes the snapshots.
  ///
  /// - Returns: nil if nothing is to be sent, since the client has it.
  private func open(
    _ wanted: BackupSession.Request, unless known: EntityTags?, readsParts: Bool, isPart: Bool,
    _ request: RequestHead, _ response: Response, _ backup: RunningBackup
  ) async throws -> Transfer? {
    let (session, preamble) = try await backup.asking {
      try await BackupSession.open(options, resources, wanted)
    }
    backup.preamble = preamble
    if let tag = known.flatMap({ unchangedTag(among: $0, state: preamble.state, tag: preamble.tag) }) {
      await session.close()
      backup.leftLogs = await session.leftWALs
      try await response.send(ResponseHead(.notModified, fields: [FieldLine(name: "ETag", value: tag.text)]))
      // With `*` a client does not say what it has.
      if case .list = known { countCurrent(backup, preamble, tag) }
      return nil
    }
    if !isPart { countStart(backup) }
    backup.logSkipped(preamble.skipped)
    return Transfer(
      session, preamble, backup, target: request.target.text, readsParts: readsParts,
      hashesArchive: wanted.digest,
      onFailure: { transfer in self.forget(transfer) })
  }
}

extension BackupSession.Request {
  /// Reads the query; what it does not know it refuses, so that a slip of the pen is no smaller backup.
  fileprivate init(_ target: RequestTarget) throws(HTTPError) {
    self.init()
    for item in target.query {
      switch item.name {
      case "db":
        databases = (databases ?? []) + [item.value]
      case "compression" where compression == nil:
        guard let value = Compression(rawValue: item.value) else {
          throw HTTPError(.badRequest, "compression is one of store, fast, default and best.")
        }
        compression = value
      case "strict" where strict == nil:
        guard item.value == "1" || item.value == "0" else {
          throw HTTPError(.badRequest, "strict is 1 or 0.")
        }
        strict = item.value == "1"
      case "resume" where !item.value.isEmpty:
        // Compared with the rest of the target: see `ResumeRequest.match`.
        break
      default:
        throw HTTPError(
          .badRequest,
          "The query has db (as often as wanted), compression, strict and resume, and nothing else.")
      }
    }
  }
}

extension BackupSession.Preamble {
  /// The state, and which of the archives of that state this one is: they differ in when they were made, and a
  /// strong tag names bytes (RFC 9110 §8.8.1).
  package var tag: EntityTag { EntityTag(strong: "\(state)-\(id)") }

  package var head: ResponseHead {
    var head = ResponseHead(.ok)
    head.add("ETag", tag.text)
    head.add("Accept-Ranges", "bytes")
    head.add("Content-Type", "application/zip")
    head.add("Content-Disposition", ContentDisposition.attachment(filename: fileName))
    // A proxy that compressed it again would take its length away: RFC 9110 §7.7.
    head.add("Cache-Control", "no-store, no-transform")
    // nginx would otherwise read ahead of the client, onto its own disk.
    head.add("X-Accel-Buffering", "no")
    if !skipped.isEmpty { head.fields.append(FieldLine(skipped: skipped)) }
    return head
  }
}

extension FieldLine {
  /// In bytes: with more, the head would be too large for many a proxy and client.
  private static let maximumSkippedLength = 2048

  /// `Sluice-Skipped: a.db;reason=locked, b%20c.db;reason=permission`
  fileprivate init(skipped: [Skipped]) {
    var length = 0
    var members: [String] = []
    for skipped in skipped {
      let member = "\(FieldLine.percentEncoded(skipped.path));reason=\(skipped.reason)"
      length += member.utf8.count + 2
      guard length <= Self.maximumSkippedLength else { break }
      members.append(member)
    }
    if skipped.count > members.count { members.append("...;more=\(skipped.count - members.count)") }
    self.init(name: "Sluice-Skipped", value: members.joined(separator: ", "))
  }
}

extension BackupError {
  /// The answer to a request that got no archive.
  package var answer: HTTPError {
    switch self {
    case .invalidName: HTTPError(.badRequest, advice)
    case .unknownDatabase: HTTPError(.notFound, advice)
    case .incomplete(let skipped):
      HTTPError(.serviceUnavailable, advice, fields: [FieldLine(skipped: skipped)])
    case .dataDirectory, .tooManyFiles, .tooLarge, .system: HTTPError(.serviceUnavailable, advice)
    case .reading, .changed, .snapshotTooOld, .walGrewTooMuch, .spaceLow, .zip, .cancelled:
      HTTPError(.internalServerError, advice)
    }
  }
}
