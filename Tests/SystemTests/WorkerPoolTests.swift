import Dispatch
import Glibc
import Testing

@testable import System

@Suite(.timeLimit(.minutes(15)))
struct WorkerPoolTests {
  /// What the jobs of a test have noted, in the order in which they ran.
  final class Notes: Sendable {
    private let noted = Lock<[Int]>([])
    var all: [Int] { noted.withLock { $0 } }
    /// - Returns: how many there are now.
    @discardableResult func add(_ number: Int) -> Int {
      noted.withLock { noted in
        noted.append(number)
        return noted.count
      }
    }
  }

  @Test func `runs as many jobs at once as there are threads`() async throws {
    let pool = try WorkerPool(named: "pool-all")
    let notes = Notes()
    let all = DispatchSemaphore(value: 0)
    let tasks = (0..<pool.threadCount).map { number in
      Task(executorPreference: pool) { @concurrent in
        // Whoever comes last lets all go; on one thread, the first would wait for ever.
        if notes.add(number) == pool.threadCount { for _ in 0..<pool.threadCount { all.signal() } }
        Self.wait(for: all)
        return SystemCalls.currentThread()
      }
    }
    var threads: Set<UInt> = []
    for task in tasks { threads.insert(await task.value) }
    #expect(threads.count == pool.threadCount)
  }

  @Test func `the job that has waited longest runs first`() async throws {
    let pool = try WorkerPool(named: "pool-order")
    let notes = Notes()
    let gate = DispatchSemaphore(value: 0)
    let blocked = (0..<pool.threadCount).map { _ in
      Task(executorPreference: pool) { @concurrent in Self.wait(for: gate) }
    }
    let tasks = (0..<100).map { number in
      Task(executorPreference: pool) { @concurrent in _ = notes.add(number) }
    }
    // One thread takes all of them; the others go on waiting.
    gate.signal()
    for task in tasks { await task.value }
    #expect(notes.all == Array(0..<100))
    for _ in 1..<pool.threadCount { gate.signal() }
    for task in blocked { await task.value }
  }

  @Test func `loses none of ten thousand jobs, and wakes up for the next`() async throws {
    let pool = try WorkerPool(named: "pool-many")
    let tasks = (0..<10_000).map { number in Task(executorPreference: pool) { @concurrent in number } }
    var sum = 0
    for task in tasks { sum += await task.value }
    #expect(sum == 10_000 * 9_999 / 2)
    // Whoever is asked now is asleep, or about to be.
    for number in 0..<1000 {
      #expect(await Task(executorPreference: pool) { @concurrent in number }.value == number)
    }
  }

  @Test func `its threads let others go before them`() async throws {
    let pool = try WorkerPool(named: "pool-nice")
    let theirs = await Task(executorPreference: pool) { @concurrent in
      getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
    }.value
    #expect(theirs >= 10)
  }

  /// The threads of a pool may block, which Swift's own may not.
  private static func wait(for semaphore: DispatchSemaphore) { semaphore.wait() }
}
