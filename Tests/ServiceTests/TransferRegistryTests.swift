import EventLoop
import HTTP1
import TestSupport
import Testing

@testable import Archive
@testable import Service

/// The slots of backups, and the archives that are held for clients that were lost.
@Suite(.timeLimit(.minutes(15)))
struct TransferRegistryTests {
  // MARK: slots

  @Test func `gives no more slots than it has`() async throws {
    try await onTheLoop {
      let reservoir = try Reservoir(slots: 2)
      let registry = reservoir.registry
      let (first, second, third) = (try reservoir.record(), try reservoir.record(), try reservoir.record())
      try registry.takeSlot(first)
      try registry.takeSlot(second)
      #expect(throws: TransferError.noSlot(running: 2)) { try registry.takeSlot(third) }
      registry.releaseSlot(first)
      try registry.takeSlot(third)
      #expect(registry.running.map(ObjectIdentifier.init) == [second, third].map(ObjectIdentifier.init))
      await reservoir.close()
    }
  }

  @Test func `discards the oldest suspended backup for one that needs its slot`() async throws {
    try await onTheLoop {
      let reservoir = try Reservoir(slots: 2)
      let (first, second) = (try await reservoir.suspended(), try await reservoir.suspended())
      #expect(reservoir.registry.suspended.count == 2)
      try reservoir.registry.takeSlot(try reservoir.record())
      #expect(first.state.isFinished)
      #expect(second.state.isSuspended)
      try reservoir.registry.takeSlot(try reservoir.record())
      #expect(second.state.isFinished)
      try await eventually { reservoir.ledger.state.counts.aborted["client-left"] == 2 }
      #expect(reservoir.registry.records.count == 2)
      await reservoir.close()
    }
  }

  @Test func `a client that returns needs no slot of another`() async throws {
    try await onTheLoop {
      let reservoir = try Reservoir(slots: 2)
      let (first, second) = (try await reservoir.suspended(), try await reservoir.suspended())
      try reservoir.registry.takeSlot(second.record, for: second)
      #expect(first.state.isSuspended)
      #expect(second.state.isSuspended)
      await reservoir.close()
    }
  }

  @Test func `ends a backup that is older than a slot may be, if another needs it`() async throws {
    try await onTheLoop {
      // Far above what a busy machine takes to begin the young one.
      let reservoir = try Reservoir(slots: 2, slotAge: .seconds(3600))
      let old = try await reservoir.transfer(begun: .now - .seconds(3601))
      let young = try await reservoir.transfer()
      #expect(reservoir.brokenOff == 0)
      try reservoir.registry.takeSlot(try reservoir.record())
      #expect(reservoir.brokenOff == 1)
      #expect(old.state.loss is SlotTooOld)
      #expect(young.state.breakOff != nil)
      #expect(throws: TransferError.noSlot(running: 2)) {
        try reservoir.registry.takeSlot(try reservoir.record())
      }
      await reservoir.close()
    }
  }

  // MARK: suspension

  @Test func `a suspended backup holds no slot, and is discarded at its deadline`() async throws {
    try await onTheLoop {
      let reservoir = try Reservoir(resumeGrace: .milliseconds(1))
      let transfer = try await reservoir.suspended()
      #expect(reservoir.registry.running.isEmpty)
      #expect(reservoir.registry.lastDeadline == transfer.state.deadline)
      try await eventually { transfer.state.isFinished && transfer.outcome != nil }
      #expect(reservoir.registry.transfers.isEmpty)
      #expect(transfer.outcome == .failed)
      #expect(reservoir.ledger.state.counts.aborted["client-left"] == 1)
      await reservoir.close()
    }
  }

  @Test func `none is held without a grace, or without a name before its head, or at the end`() async throws {
    try await onTheLoop {
      let without = try Reservoir(resumeGrace: .zero)
      #expect(try await without.suspended().state.isFinished)
      let reservoir = try Reservoir()
      let unnamed = try await reservoir.transfer(named: false)
      reservoir.registry.suspend(unnamed)
      #expect(unnamed.state.isFinished)
      reservoir.registry.stop()
      #expect(try await reservoir.suspended().state.isFinished)
      #expect(reservoir.registry.lastDeadline == nil)
      await reservoir.close()
      await without.close()
    }
  }

  @Test func `one archive that is complete is held, the last`() async throws {
    try await onTheLoop {
      let reservoir = try Reservoir()
      let (first, second) = (try await reservoir.transfer(), try await reservoir.transfer())
      for transfer in [first, second] {
        await transfer.archive.complete(transfer.record)
        reservoir.registry.suspend(transfer)
      }
      #expect(first.state.isFinished)
      #expect(second.state.isSuspended)
      // It holds no snapshot, and so takes no slot.
      #expect(reservoir.registry.suspended.isEmpty)
      await reservoir.close()
    }
  }

  @Test func `a WAL that grows too much ends a suspension, by what it grew since then`() async throws {
    try await onTheLoop {
      let reservoir = try Reservoir(walGrowth: 100)
      let transfer = try await reservoir.transfer(watched: false)
      @Loop func grow(to size: UInt64) {
        transfer.record.hold = BackupSession.Hold(since: .now, walGrowth: size, totalWALGrowth: size)
      }
      grow(to: 50)
      reservoir.registry.suspend(transfer)
      // Jobs of the loop run in turn: the watch has seen what it begins with.
      try await Loop.start {}.value
      grow(to: 151)
      try await eventually { transfer.state.isFinished }
      let detail = "the WALs have grown by 101 bytes since the client was lost"
      #expect(
        reservoir.lines.all.first
          == "notice: interrupted backup given up client=127.0.0.1:5000 detail=\(detail) reason=wal-growth")
      await reservoir.close()
    }
  }

  @Test func `discards all that are suspended, and waits until that is done`() async throws {
    try await onTheLoop {
      let reservoir = try Reservoir()
      let transfers = [try await reservoir.suspended(), try await reservoir.suspended()]
      await reservoir.registry.discardAllSuspended(within: .seconds(60))
      #expect(transfers.map(\.outcome) == [.failed, .failed])
      #expect(reservoir.registry.discardsUnderWay == 0)
      await reservoir.close()
    }
  }

  @Test func `counts what was sent once, in every state`() async throws {
    try await onTheLoop {
      let reservoir = try Reservoir()
      let (registry, ledger) = (reservoir.registry, reservoir.ledger)
      var sent: UInt64 { ledger.state.counts.bytesSent + ledger.bytesUnderWay }
      let first = try await reservoir.transfer()
      first.record.delivery.confirm(0..<5)
      #expect(sent == 5)
      await first.archive.complete(first.record)
      registry.suspend(first)
      #expect(sent == 5)
      registry.recordOutcome(first, .complete)
      #expect(sent == 5)
      // Its last bytes are sent once more.
      try registry.takeSlot(first.record, for: first)
      first.record.delivery.confirm(3..<5)
      #expect(sent == 5)
      let second = try await reservoir.suspended()
      second.record.delivery.confirm(0..<7)
      #expect(sent == 12)
      registry.discardSuspended(second)
      #expect(sent == 12)
      try await eventually { second.outcome != nil }
      #expect(sent == 12)
      await reservoir.close()
    }
  }

  // MARK: a client that returns

  @Test func `waits until the connection that still sends has ended`() async throws {
    try await onTheLoop {
      let reservoir = try Reservoir()
      let transfer = try await reservoir.transfer()
      let takingOver = Loop.start { try await reservoir.registry.takeOver(transfer) }
      try await eventually { reservoir.brokenOff == 1 }
      reservoir.registry.suspend(transfer)
      try await takingOver.value
      #expect(transfer.state.isSuspended)
      await reservoir.close()
    }
  }

  @Test func `cannot take over what has ended meanwhile`() async throws {
    try await onTheLoop {
      let reservoir = try Reservoir()
      let transfer = try await reservoir.transfer()
      let takingOver = Loop.start { try await reservoir.registry.takeOver(transfer) }
      try await eventually { reservoir.brokenOff == 1 }
      reservoir.registry.remove(transfer)
      await #expect(throws: TransferError.notHeld) { try await takingOver.value }
      await reservoir.close()
    }
  }

  @Test func `an archive that begins by a name ends the older ones of it`() async throws {
    try await onTheLoop {
      let reservoir = try Reservoir(slots: 3)
      let target = "/api/backup?resume=x"
      let (held, sending) = (try await reservoir.suspended(), try await reservoir.transfer())
      let opening = try reservoir.record()
      try reservoir.registry.takeSlot(opening)
      reservoir.registry.endAll(named: target)
      #expect(held.state.isFinished)
      #expect(sending.state.isEnding)
      #expect(reservoir.brokenOff == 1)
      #expect(opening.isSuperseded)
      #expect(reservoir.registry.running.map(ObjectIdentifier.init) == [ObjectIdentifier(opening)])
      let asked = try ResumeRequest(try request("GET \(target)", "Range: bytes=5-10"))
      #expect(await reservoir.registry.decide(asked, isStored: true).decision == .nameNotHeld)
      await reservoir.close()
    }
  }

  @Test func `a name that was used gets no part of another archive`() async throws {
    try await onTheLoop {
      let reservoir = try Reservoir()
      let asked = try ResumeRequest(try request("GET /api/backup?resume=x", "Range: bytes=5-10"))
      let before = await reservoir.registry.decide(asked, isStored: true)
      #expect(before.decision == .new(.closed(5...10), servesParts: true))
      let transfer = try await reservoir.suspended()
      let held = await reservoir.registry.decide(asked, isStored: true)
      #expect(held.decision == .part(.closed(5...10), of: 0))
      #expect(held.held.first === transfer)
      await reservoir.registry.discardAllSuspended(within: .seconds(60))
      let after = await reservoir.registry.decide(asked, isStored: true)
      #expect(after.decision == .nameNotHeld)
      await reservoir.close()
    }
  }
}
