import Glibc
import TestSupport
import Testing

@testable import EventLoop
@testable import System

/// Seen from outside: these tests run on Swift's own threads.
@Suite(.timeLimit(.minutes(15)))
struct LoopTests {
  init() { RunningLoop.start() }

  struct Failure: Error, Equatable {}

  @Loop static func thread() -> UInt { callingThread() }

  @Test func `everything of the loop runs on one thread, whatever calls it`() async throws {
    let thread = await Self.thread()
    await withTaskGroup { group in
      for _ in 0..<200 { group.addTask { #expect(await Self.thread() == thread) } }
    }
    #expect(callingThread() != thread)
  }

  @Test func `knows its own thread from others`() async throws {
    #expect(LoopExecutor.shared.isIsolatingCurrentContext() == false)
    #expect(try await Loop.start { LoopExecutor.shared.isIsolatingCurrentContext() }.value == true)
    let answer = try await Loop.start { Loop.assumeIsolated { 42 } }.value
    #expect(answer == 42)
  }

  @Test func `a task that the loop started stays on its thread in what is isolated to nothing`() async throws
  {
    let thread = await Self.thread()
    let threads = try await Loop.start { [callingThread(), await Self.threadOfNobody()] }.value
    #expect(threads == [thread, thread])
    await #expect(throws: Failure()) { try await Loop.start { throw Failure() }.value }
  }

  @concurrent static func threadOfNobody() async -> UInt { callingThread() }

  @Test func `runs until its body has returned, with what it returned`() async throws {
    await #expect(processExitsWith: .success) {
      let result = try runLoop {
        await Loop.sleep(for: .milliseconds(1))
        return callingThread()
      }
      #expect(result == callingThread(), "on the calling thread")
    }
  }

  @Test func `throws what its body throws`() async throws {
    await #expect(processExitsWith: .success) {
      #expect(throws: Failure()) { try runLoop { throw Failure() } }
    }
  }

  @Test func `a job that is asked for from other threads wakes the loop that sleeps`() async throws {
    let counter = Counter()
    await withTaskGroup { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<2000 { await counter.increment() }
        }
      }
    }
    #expect(await counter.count == 8000)
  }

  @Test func `jobs that beget jobs do not keep the kernel's events and the deadlines out`() async throws {
    let counter = Counter()
    let busy = Loop.start {
      while counter.count == 0 { await Task.yield() }
    }
    await Loop.sleep(for: .milliseconds(1))
    await counter.increment()
    try await busy.value
  }
}

@Loop private final class Counter {
  private(set) var count = 0
  nonisolated init() {}
  func increment() { count += 1 }
}

/// `Loop.run` on the thread of an asynchronous test.
private func runLoop<Success: Sendable>(
  _ body: @escaping @Loop @Sendable () async throws -> Success
) throws -> Success {
  try Loop.run(body)
}
