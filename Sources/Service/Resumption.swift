import Archive
import EventLoop
package import HTTP1
import System

/// Clients that were lost and come back: what they may go on with, and for how long.
extension BackupService {
  /// How long the end of a connection may take that a client has left without a word.
  private static let takeOverTimeout = Duration.seconds(10)
  /// How often it is looked whether the snapshots of a client that was lost are in an application's way.
  private static let checkpointInterval = Duration.milliseconds(100)
  /// They are if so many looks in a row find a checkpoint under way: one that waits for nobody is not seen so often.
  private static let checkpointsGivenWayTo = 3

  /// How many names are remembered of archives that are gone: 8 bytes each.
  private static let usedNameCount = 4096

  /// Decides between a new archive and a held one.
  ///
  /// - Returns: the decision, and the transfers that it names by their index.
  /// - Throws: 400 for an `If-Match` that is no list of entity tags.
  package func decide(
    _ request: RequestHead, isStored: Bool
  ) async throws(HTTPError) -> (ResumeDecision, held: [Transfer]) {
    let asked = try ResumeRequest(request)
    let held = transfers
    var facts = held.map(\.facts)
    // A session answers on its own thread: it is asked only if that decides.
    if let index = asked.match(in: facts), asked.dependsOnRewinding(facts[index]) {
      facts[index].canRewind = await held[index].canRewind
    }
    let decision = asked.decide(
      facts, isStored: isStored, keepsArchives: resumeGrace > .zero, isNew: isNew(request.target.text))
    return (decision, held)
  }

  /// Whether no archive of this name is known to be gone.
  private func isNew(_ target: String) -> Bool { !usedNames.contains(target.hashValue) }

  /// Remembers a name by which an archive was asked for that is gone.
  private func noteUse(of target: String) {
    guard isNew(target) else { return }
    usedNames.append(target.hashValue)
    if usedNames.count > Self.usedNameCount { usedNames.removeFirst() }
  }

  private static let isGone = HTTPError(
    .preconditionFailed, "The archive is not kept any more. Ask for a new one.")

  /// Waits until the connection that an archive is still being sent over has ended. Nobody else knows its tag: it is one that
  /// the client has lost.
  ///
  /// - Throws: 412 if the archive is not kept then.
  package func takeOver(_ transfer: Transfer) async throws(HTTPError) {
    let deadline = ContinuousClock.now + Self.takeOverTimeout
    transfer.breakOff()
    while transfer.keptUntil == nil, transfers.contains(where: { $0 === transfer }),
      await transfer.changed.wait(until: deadline)
    {}
    guard transfer.keptUntil != nil else { throw Self.isGone }
  }

  /// Sends the rest of an archive.
  package func resume(
    _ transfer: Transfer, _ range: ByteRange, _ request: RequestHead, _ response: Response
  ) async throws {
    try await takeOver(transfer)
    try requireSatisfiable(range, of: transfer)
    try enter(transfer.backup, of: transfer)
    transfer.backup.isForHead = false
    transfer.keptUntil = nil
    transfer.changed.notify()
    guard let part = await transfer.prepare(range) else {
      keep(transfer)
      throw Self.isGone
    }
    if case .from(let offset) = range { transfer.backup.goesOn(at: offset) }
    transfer.backup.logResumed(request, from: response.peer, at: part.positions.lowerBound)
    metrics.state.counts.resumed += 1
    try await run(transfer, part, request, response)
  }

  /// - Throws: 416 if the archive has no such bytes.
  package func requireSatisfiable(_ range: ByteRange, of transfer: Transfer) throws(HTTPError) {
    guard let length = transfer.length, range.positions(in: length)?.isEmpty ?? false else { return }
    throw Self.unsatisfiable(length: length)
  }

  package static func unsatisfiable(length: UInt64) -> HTTPError {
    HTTPError(
      .rangeNotSatisfiable, "It has no such bytes.", fields: [ByteRange.unsatisfied(length: length)])
  }

  /// Sends an archive and decides, when the client is lost, whether it may come back.
  package func run(
    _ transfer: Transfer, _ part: Transfer.Part?, _ request: RequestHead, _ response: Response
  ) async throws {
    do {
      try await transfer.send(part, for: request, to: response)
      // A client that has asked for some positions alone may ask for others yet.
      if transfer.isWhole, transfer.backup.isDelivered(transfer.length) {
        countOut(transfer, transfer.preamble.skipped.isEmpty ? .complete : .incomplete)
      }
      keep(transfer)
    } catch let error as SystemError
      where transfer.canGoOn && resumeGrace > .zero && !isStopping && !(transfer.loss is PlaceTooOld)
    {
      // A client that reads parts has all that it needs whenever it leaves.
      if transfer.endsAfter(part) { transfer.loss = error }
      if !transfer.isCountedOut, transfer.loss != nil {
        transfer.backup.logLost(BackupFailure(error, isStopping: false), for: resumeGrace)
      }
      keep(transfer)
      throw error
    } catch {
      remove(transfer)
      let reason = await transfer.close() ?? transfer.loss as? PlaceTooOld ?? error
      leave(transfer.backup)
      countOut(transfer, .failed, reason)
      throw (reason as? BackupError)?.answer ?? error
    }
  }

  private func countOut(_ transfer: Transfer, _ outcome: Outcome, _ error: (any Error)? = nil) {
    guard !transfer.isCountedOut else { return }
    transfer.isCountedOut = true
    end(transfer.backup, outcome, error)
  }

  private func remove(_ transfer: Transfer) {
    transfers.removeAll { $0 === transfer }
    if transfer.readsParts { noteUse(of: transfer.target) }
    transfer.changed.notify()
  }

  /// Holds a transfer that no client is there for, for as long as one may come back.
  package func keep(_ transfer: Transfer) {
    leave(transfer.backup)
    guard transfer.canGoOn, resumeGrace > .zero, !isStopping else { return letGo(transfer) }
    // Of those that were sent to their end, of which only a client that lost the last bytes has any use, one is kept.
    if transfer.isWhole {
      for other in transfers where other.isWhole && other.keptUntil != nil { forget(other) }
    }
    let deadline = ContinuousClock.now + resumeGrace
    transfer.keptUntil = deadline
    transfer.changed.notify()
    var walGrowthWhenLost = transfer.backup.hold?.totalWALGrowth ?? 0
    Loop.start { [self] in
      var checkpointsSeen = 0
      var walGrowth: UInt64 = 0
      while transfer.keptUntil == deadline, ContinuousClock.now < deadline,
        checkpointsSeen < Self.checkpointsGivenWayTo, walGrowth <= resumeWALGrowth
      {
        _ = await transfer.changed.wait(until: min(deadline, .now + Self.checkpointInterval))
        checkpointsSeen = await transfer.isBeingCheckpointed() ? checkpointsSeen + 1 : 0
        let growth = transfer.backup.hold?.totalWALGrowth ?? 0
        // Fewer are held once what was read has been released.
        walGrowthWhenLost = min(walGrowthWhenLost, growth)
        walGrowth = growth - walGrowthWhenLost
      }
      guard transfer.keptUntil == deadline else { return }
      if walGrowth > resumeWALGrowth {
        transfer.backup.logGivingWay(
          reason: "wal-growth", detail: "the WALs have grown by \(walGrowth) bytes since the client was lost")
      } else if ContinuousClock.now < deadline {
        transfer.backup.logGivingWay(
          reason: "checkpoint", detail: "an application's checkpoint waits for its snapshots")
      }
      forget(transfer)
    }
  }

  /// Gives up one whose client was lost, at once.
  package func forget(_ transfer: Transfer) {
    guard transfer.keptUntil != nil else { return }
    transfer.keptUntil = nil
    letGo(transfer)
  }

  private func letGo(_ transfer: Transfer) {
    remove(transfer)
    letGoCount += 1
    Loop.start { [self] in
      let reason: (any Error)? = await transfer.close() ?? transfer.loss
      countOut(transfer, reason == nil ? .ranges : .failed, reason)
      letGoCount -= 1
      changed.notify()
    }
  }

  /// Gives up all whose clients were lost.
  ///
  /// - Parameter timeout: of the wait until everything that was held for them has been released.
  package func forgetAll(within timeout: Duration) async {
    let deadline = ContinuousClock.now + timeout
    for transfer in transfers { forget(transfer) }
    while letGoCount > 0, await changed.wait(until: deadline) {}
  }

  /// Those whose clients were lost, the oldest first. They hold snapshots, unless they are whole.
  package var kept: [Transfer] { transfers.filter { $0.keptUntil != nil && !$0.isWhole } }

  /// Until when a client that was lost may come back to this process.
  package var keptUntil: ContinuousClock.Instant? { kept.compactMap(\.keptUntil).max() }
}
