import TestSupport
import Testing

@testable import EventLoop
@testable import System

/// `Waiter` and what waits with it: `Condition` and `Loop.sleep`.
@Suite(.onTheLoop, .timeLimit(.minutes(15)))
struct WaiterTests {
  @Loop @Test func `a condition wakes every task that waits`() async throws {
    let condition = Condition()
    let tasks = (0..<5).map { _ in Loop.start { await condition.wait(until: .now + .days(2001)) } }
    await RunningLoop.turns { RunningLoop.waits(ofDays: 2001) == 5 }
    condition.notify()
    for task in tasks { #expect(try await task.value) }
    #expect(RunningLoop.waits(ofDays: 2001) == 0, "a wait that is met leaves no deadline behind")
  }

  @Loop @Test func `a condition needs no deadline`() async throws {
    let condition = Condition()
    var isWaiting = false
    let task = Loop.start {
      isWaiting = true
      return await condition.wait()
    }
    await RunningLoop.turns { isWaiting }
    condition.notify()
    #expect(try await task.value)
  }

  @Loop @Test func `a wait for a condition ends at its deadline, and the next one is not harmed`()
    async throws
  {
    let condition = Condition()
    #expect(await condition.wait(until: .now) == false)
    #expect(await condition.wait(until: .now + .milliseconds(3)) == false)
    #expect((Mirror(reflecting: condition).descendant("waiters") as? [Waiter])?.isEmpty == true)

    let task = Loop.start { await condition.wait(until: .now + .days(2003)) }
    await RunningLoop.turns { RunningLoop.waits(ofDays: 2003) == 1 }
    #expect(await condition.wait(until: .now + .milliseconds(1)) == false, "beside one who goes on waiting")
    condition.notify()
    #expect(try await task.value)
  }

  @Loop @Test func `a notice that comes before the wait is not kept`() async throws {
    let condition = Condition()
    condition.notify()
    #expect(await condition.wait(until: .now + .milliseconds(1)) == false)
  }

  @Loop @Test func `deadlines are met in their order, none too early`() async throws {
    let condition = Condition()
    let start = ContinuousClock.now
    var woken: [Int] = []
    let tasks = [30, 10, 20, 0].map { milliseconds in
      Loop.start {
        let deadline = start + .milliseconds(milliseconds)
        #expect(await condition.wait(until: deadline) == false)
        #expect(ContinuousClock.now >= deadline)
        woken.append(milliseconds)
      }
    }
    for task in tasks { try await task.value }
    #expect(woken == [0, 10, 20, 30])
  }

  @Loop @Test func `sleeps at least as long as it was told`() async throws {
    let start = ContinuousClock.now
    await Loop.sleep(for: .milliseconds(5))
    #expect(ContinuousClock.now - start >= .milliseconds(5))
  }

  @Loop @Test func `a waiter is woken once`() async throws {
    var waiter: Waiter?
    let task = Loop.start { await Waiter.suspend(until: .now + .days(2005)) { waiter = $0 } }
    await RunningLoop.turns { waiter != nil }
    waiter?.wake(.cancelled)
    waiter?.wake(.ready)
    #expect(try await task.value == .cancelled)
  }
}
