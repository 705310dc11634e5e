package import Archive
package import EventLoop
package import HTTP1
package import Logging
import Zip

/// `GET /api/backup`: one zip, made as fast as the client reads it.
///
/// What is sent is decided here; `TransferRegistry` gives it a slot, and `Transfer` sends it.
@Loop package struct BackupEndpoint {
  private let options: ArchiveOptions
  private let resources: ArchiveResources
  private let registry: TransferRegistry
  private let ledger: Ledger
  private let logger: Logger
  private let advice: Advice

  package init(
    _ options: ArchiveOptions, _ resources: ArchiveResources, _ registry: TransferRegistry, _ ledger: Ledger,
    _ logger: Logger, _ advice: Advice
  ) {
    self.options = options
    self.resources = resources
    self.registry = registry
    self.ledger = ledger
    self.logger = logger
    self.advice = advice
  }

  package func respond(to request: RequestHead, _ response: Response) async throws {
    do {
      let (asked, known) = try read(request)
      let (decision, held) = await registry.decide(try ResumeRequest(request), isStored: isStored(asked))
      switch decision {
      case .new(let part, let servesParts):
        try await sendNew(asked, unless: known, part, servesParts: servesParts, request, response)
      case .part(let range, let index):
        let part = try await registry.resume(held[index], range, request, response)
        try await registry.send(held[index], part, for: request, to: response)
      case .head(let index):
        let archive = held[index].archive
        _ = try await response.begin(archive.preamble.head, contentLength: archive.length)
      case .unsatisfiable(let index):
        try await registry.takeOver(held[index])
        throw TransferError.unsatisfiable(length: held[index].archive.length ?? 0)
      case .tagNotHeld, .nameNotHeld, .ambiguousRange:
        if let refusal = decision.refusal { throw refusal }
      }
    } catch let error as BackupError {
      throw error.answer(advice)
    } catch let error as TransferError {
      if case .noSlot = error { ledger.recordRejected("too-many-backups") }
      throw error.answer
    }
  }

  /// What the request asks for, and the archives that its client has.
  ///
  /// - Throws: 400.
  private func read(
    _ request: RequestHead
  ) throws(HTTPError) -> (asked: BackupSession.Request, known: EntityTags?) {
    do throws(HTTPError) {
      var asked = try BackupSession.Request(request.target)
      if request.needsLength { asked.compression = .store }
      return (asked, try EntityTags("If-None-Match", of: request))
    } catch {
      ledger.recordRejected("bad-request")
      throw error
    }
  }

  private func isStored(_ asked: BackupSession.Request) -> Bool {
    (asked.compression ?? options.compression) == .store
  }

  /// Sends a new archive, or a part of one.
  private func sendNew(
    _ asked: BackupSession.Request, unless known: EntityTags?, _ range: ByteRange?, servesParts: Bool,
    _ request: RequestHead, _ response: Response
  ) async throws {
    let isStored = isStored(asked)
    var asked = asked
    asked.needsContent = request.method != .head || servesParts
    asked.keepsRewindable = registry.limits.resumeGrace > .zero
    // What is stored has a length instead, and no place for a trailer; and any range of it can be told. Of what is
    // compressed, a client only needs what it has lost, and that is no reason to stand in an application's way.
    asked.digest = request.takesTrailers && !isStored
    if isStored {
      asked.keepsHistory = true
      // Any part of an archive may be asked for by its name, and a delta is sent whole.
      if range == nil, !servesParts || request.method == .get {
        asked.delta = BackupSession.DeltaRequest(request, among: known)
      }
    }
    asked.maximumHeldWALGrowth =
      isStored && (servesParts || asked.delta == nil) ? nil : registry.limits.resumeWALGrowth
    let record = BackupRecord(request, from: response.peer, logger, advice)
    if let name = record.archiveName, request.method == .get || servesParts { registry.endAll(named: name) }
    try registry.takeSlot(record)
    guard let archive = try await open(asked, unless: known, record, response) else { return }
    if range == nil { ledger.recordStart(record) }
    ledger.recordBegin(record)
    record.logSkipped(archive.preamble.skipped)
    let transfer = Transfer(
      archive, record, target: request.target.text,
      servesParts: servesParts && archive.preamble.delta == nil, breakOff: { response.breakOff() })
    registry.add(transfer)
    var part: ArchivePart?
    if let range {
      do { try archive.requireSatisfiable(range) } catch {
        registry.suspend(transfer)
        throw error
      }
      part = await archive.prepare(range)
    }
    try await registry.send(transfer, part, for: request, to: response)
  }

  /// Takes the snapshots.
  ///
  /// - Returns: nil if the client has the archive: it has its answer, 304.
  private func open(
    _ asked: BackupSession.Request, unless known: EntityTags?, _ record: BackupRecord, _ response: Response
  ) async throws -> ArchiveBytes? {
    do {
      let (session, preamble) = try await record.timingSessionCall {
        try await BackupSession.open(options, resources, asked)
      }
      record.preamble = preamble
      let archive = ArchiveBytes(
        session, preamble, isHashed: preamble.delta == nil ? asked.digest : asked.delta?.digest ?? false)
      guard
        let known, let tag = unchangedTag(among: known, state: preamble.state, tag: preamble.tag)
      else { return archive }
      await archive.discard(record)
      try await response.send(preamble.unchangedHead(tag))
      // With `*` a client does not say what it has. And it may have the tag of an archive without its last byte.
      if case .list = known, !registry.isUnderWay(tag) { ledger.recordCurrent(record, preamble, tag) }
      registry.releaseSlot(record)
      ledger.recordUnchanged(record)
      return nil
    } catch {
      registry.fail(record, error)
      throw error
    }
  }
}
