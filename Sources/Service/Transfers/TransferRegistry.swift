import Archive
package import EventLoop
package import HTTP1
import System

/// Every archive that is sent or held, and the places that they take.
///
/// A backup takes a slot while a client takes it. One whose client was lost is suspended: it counts as one, too, and is
/// discarded as soon as another backup needs it.
@Loop package final class TransferRegistry {
  package struct Limits {
    /// How many backups may run at once.
    package var slotCount: Int
    /// How long a client that was lost may return.
    package var resumeGrace: Duration
    /// By how many bytes the WALs may grow meanwhile: a checkpoint that waits for no reader (`PASSIVE`) leaves no other trace.
    package var resumeWALGrowth: UInt64
    /// What a slow client may hold a slot for, once another backup needs it: as long as snapshots are held at the most.
    package var slotAge: Duration

    package init(slotCount: Int, resumeGrace: Duration, resumeWALGrowth: UInt64, slotAge: Duration) {
      self.slotCount = slotCount
      self.resumeGrace = resumeGrace
      self.resumeWALGrowth = resumeWALGrowth
      self.slotAge = slotAge
    }
  }

  package let limits: Limits
  /// Announced when a backup begins or ends.
  package let changed = Condition()
  /// Whether running backups are being finished, and no client that is lost now may return.
  package private(set) var isStopping = false
  /// The backups whose clients take them, or wait for them.
  package private(set) var running: [BackupRecord] = []
  /// Every archive that is sent or could be sent on, the oldest first.
  var transfers: [Transfer] = []
  var usedNames = UsedNames()
  var discardsUnderWay = 0
  let ledger: Ledger

  package init(_ limits: Limits, _ ledger: Ledger) {
    self.limits = limits
    self.ledger = ledger
  }

  /// Whether archives are held for clients that are lost.
  package var keepsArchives: Bool { limits.resumeGrace > .zero && !isStopping }

  /// Those whose clients were lost, the oldest first. They hold snapshots, unless they are complete.
  package var suspended: [Transfer] { transfers.filter { $0.state.isSuspended && !$0.archive.isComplete } }

  /// Every backup that runs or is suspended.
  package var records: [BackupRecord] { running + suspended.map(\.record) }

  /// Whether the end of an archive is still to come.
  package func isUnderWay(_ tag: EntityTag) -> Bool {
    transfers.contains { $0.tag == tag && $0.outcome == nil }
  }

  /// Lets running backups end, and suspends none from now on.
  package func stop() { isStopping = true }

  // MARK: slots

  /// Counts a backup among those that run, in the place of a suspended one if there is no other.
  ///
  /// - Parameter resumed: the archive that it goes on with, which has a place already unless it is complete.
  /// - Throws: `noSlot`.
  package func takeSlot(_ record: BackupRecord, for resumed: Transfer? = nil) throws(TransferError) {
    let others = suspended.filter { $0 !== resumed }
    if running.count + others.count >= limits.slotCount, let oldest = others.first {
      discardSuspended(oldest)
    }
    if running.count >= limits.slotCount { endOldest() }
    guard running.count < limits.slotCount else { throw .noSlot(running: running.count) }
    running.append(record)
    changed.notify()
  }

  /// Ends the oldest backup if it is older than its snapshots may be. A slow client with little content holds no snapshot for
  /// that long, and would hold the slot for ever.
  private func endOldest() {
    let old = running.filter { ContinuousClock.now - $0.begun > limits.slotAge }
    guard let oldest = old.min(by: { $0.begun < $1.begun }),
      let transfer = transfers.first(where: { $0.record === oldest })
    else { return }
    transfer.end(SlotTooOld(limit: limits.slotAge))
    releaseSlot(oldest)
  }

  /// Ends every archive of a name, for the one that begins by it: the last bytes of one would be joined to the first of another.
  package func endAll(named name: String) {
    for record in running where record.archiveName == name { record.isSuperseded = true }
    for transfer in transfers where transfer.record.archiveName == name {
      usedNames.insert(name)
      transfer.end()
      releaseSlot(transfer.record)
      discardSuspended(transfer)
    }
  }

  /// Whether no archive of a target is held, begun, or known to be gone.
  private func isNew(_ target: String) -> Bool {
    !usedNames.contains(target) && !transfers.contains { $0.target == target }
      && !running.contains { $0.archiveName == target }
  }

  package func releaseSlot(_ record: BackupRecord) {
    running.removeAll { $0 === record }
    changed.notify()
  }

  // MARK: the life of a transfer

  /// Decides between a new archive and a held one.
  ///
  /// - Returns: the decision, and the transfers that it names by their index.
  package func decide(
    _ asked: ResumeRequest, isStored: Bool
  ) async -> (decision: ResumeDecision, held: [Transfer]) {
    let held = transfers.filter { !$0.state.isEnding }
    var facts = held.map(\.facts)
    // A session answers on its own thread: it is asked only if that decides.
    if let index = asked.match(in: facts), asked.dependsOnRewinding(facts[index]) {
      facts[index].canRewind = await held[index].archive.canRewind
    }
    let decision = asked.decide(
      facts, isStored: isStored, keepsArchives: limits.resumeGrace > .zero,
      isNew: isNew(asked.target))
    return (decision, held)
  }

  /// Takes a new archive in, and ends it once it passes a limit; at once if another has begun by its name meanwhile.
  package func add(_ transfer: Transfer) {
    transfers.append(transfer)
    if transfer.record.isSuperseded { transfer.end() }
    Loop.start { [self] in
      do { try await transfer.archive.watchLimits(transfer.record) } catch {
        transfer.end()
        discardSuspended(transfer)
      }
    }
  }

  /// Sends an archive and decides, when the client is lost, whether it may return.
  ///
  /// - Throws: `SystemError` when the client takes it no further, and is not at fault; a `BackupError` else.
  package func send(
    _ transfer: Transfer, _ part: ArchivePart?, for request: RequestHead, to response: Response
  ) async throws {
    do {
      try await transfer.send(part, for: request, to: response)
      // A client that has asked for some positions alone may ask for others yet.
      if transfer.isDelivered {
        await transfer.archive.publishHistory(transfer.record)
        recordOutcome(transfer, transfer.archive.preamble.skipped.isEmpty ? .complete : .incomplete)
      }
      suspend(transfer)
    } catch let error as SystemError where keepsArchives && transfer.isResumable {
      // A client that reads parts has all that it needs whenever it leaves.
      suspend(transfer, loss: transfer.endsAfter(part) ? error : nil)
      if transfer.outcome == nil, transfer.state.loss != nil {
        transfer.record.logLost(BackupFailure(error, isStopping: false), for: limits.resumeGrace)
      }
      throw error
    } catch {
      throw await fail(transfer, error)
    }
  }

  /// Releases an archive that no client can get to its end.
  ///
  /// - Returns: the error that says most.
  private func fail(_ transfer: Transfer, _ error: any Error) async -> any Error {
    let ended = transfer.state.loss as? SlotTooOld
    remove(transfer)
    let reason: any Error = await transfer.archive.discard(transfer.record) ?? ended ?? error
    releaseSlot(transfer.record)
    recordOutcome(transfer, .failed, reason)
    return reason as? BackupError ?? error
  }

  /// Ends a backup that got no archive.
  package func fail(_ record: BackupRecord, _ error: any Error) {
    releaseSlot(record)
    ledger.recordOutcome(record, .failed, BackupFailure(error, isStopping: isStopping))
  }

  func recordOutcome(_ transfer: Transfer, _ outcome: BackupOutcome, _ error: (any Error)? = nil) {
    guard transfer.outcome == nil else { return }
    transfer.outcome = outcome
    releaseSlot(transfer.record)
    ledger.recordOutcome(
      transfer.record, outcome, error.map { BackupFailure($0, isStopping: isStopping) })
  }

  func remove(_ transfer: Transfer) {
    transfers.removeAll { $0 === transfer }
    if transfer.servesParts { usedNames.insert(transfer.target) }
    _ = transfer.finish()
  }
}
