import EventLoop
package import HTTP1

/// Transfers whose clients were lost, or have returned.
extension TransferRegistry {
  /// How long the end of a connection may take that a client has left without a word.
  private static let takeOverTimeout = Duration.seconds(10)

  /// Holds a transfer that no client is there for, for as long as one may return.
  ///
  /// - Parameter loss: why the client is gone; nil if it got what it asked for.
  package func suspend(_ transfer: Transfer, loss: (any Error)? = nil) {
    releaseSlot(transfer.record)
    let deadline = ContinuousClock.now + limits.resumeGrace
    // Of those that were sent to their end, of which only a client that lost the last bytes has any use, one is kept.
    if transfer.archive.isComplete, keepsArchives, transfer.isResumable {
      for other in transfers where other.archive.isComplete { discardSuspended(other) }
    }
    guard keepsArchives, transfer.suspend(until: deadline, loss: loss) else { return discard(transfer) }
    Loop.start { [self] in
      let reason = await SuspensionWatch(transfer, until: deadline, walGrowth: limits.resumeWALGrowth).end()
      guard transfer.state.deadline == deadline else { return }
      if let reason { transfer.record.logDiscarded(reason.word, reason.detail) }
      discardSuspended(transfer)
    }
  }

  /// Waits until the connection that an archive is still being sent over has ended. Only the client that has lost it knows
  /// the archive's tag or name.
  ///
  /// - Throws: `notHeld`.
  package func takeOver(_ transfer: Transfer) async throws(TransferError) {
    let deadline = ContinuousClock.now + Self.takeOverTimeout
    transfer.state.breakOff?()
    while !transfer.state.isSuspended, !transfer.state.isFinished,
      await transfer.changed.wait(until: deadline)
    {}
    guard transfer.state.isSuspended else { throw .notHeld }
  }

  /// Prepares the rest of an archive for a client that has returned.
  ///
  /// - Throws: `notHeld`, `unsatisfiable`, `noSlot`.
  package func resume(
    _ transfer: Transfer, _ range: ByteRange, _ request: RequestHead, _ response: Response
  ) async throws(TransferError) -> ArchivePart {
    try await takeOver(transfer)
    try transfer.archive.requireSatisfiable(range)
    try takeSlot(transfer.record, for: transfer)
    transfer.record.isForHead = false
    guard transfer.resume({ response.breakOff() }), let part = await transfer.archive.prepare(range) else {
      suspend(transfer)
      throw .notHeld
    }
    if case .from(let offset) = range { transfer.record.delivery.resume(at: offset) }
    transfer.record.logResumed(request, from: response.peer, at: part.positions.lowerBound)
    ledger.recordResumed(transfer.record)
    return part
  }

  /// Discards a transfer whose client was lost, at once.
  func discardSuspended(_ transfer: Transfer) {
    if transfer.state.isSuspended { discard(transfer) }
  }

  private func discard(_ transfer: Transfer) {
    let loss = transfer.state.loss
    remove(transfer)
    discardsUnderWay += 1
    Loop.start { [self] in
      let reason: (any Error)? = await transfer.archive.discard(transfer.record) ?? loss
      recordOutcome(transfer, reason == nil ? .ranges : .failed, reason)
      discardsUnderWay -= 1
      changed.notify()
    }
  }

  /// Discards all transfers whose clients were lost.
  ///
  /// - Parameter timeout: of the wait until everything that was held for them has been released.
  package func discardAllSuspended(within timeout: Duration) async {
    let deadline = ContinuousClock.now + timeout
    for transfer in transfers { discardSuspended(transfer) }
    while discardsUnderWay > 0, await changed.wait(until: deadline) {}
  }

  /// Until when a client that was lost may return to this process.
  package var lastDeadline: ContinuousClock.Instant? { suspended.compactMap(\.state.deadline).max() }
}
