import Foundation
import TestSupport
import Testing

@testable import EventLoop
@testable import System

@Suite(.onTheLoop, .timeLimit(.minutes(15)))
struct WorkerThreadTests {
  /// An actor on a thread of its own.
  actor Worker {
    private let thread: WorkerThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
    private let appended = Lock<[Int]>([])
    /// Read from any thread: an actor whose thread has ended answers nothing.
    nonisolated var numbers: [Int] { appended.withLock { $0 } }

    init(_ thread: WorkerThread) { self.thread = thread }

    func currentThread() -> UInt { callingThread() }
    func append(_ number: Int) { appended.withLock { $0.append(number) } }
    func block(on semaphore: DispatchSemaphore) { semaphore.wait() }
    func appendInTasks(_ count: Int) {
      for number in 0..<count { Task { append(number) } }
    }
    func appendInTasksAndStop(_ count: Int) {
      appendInTasks(count)
      thread.stop()
    }
    func add(_ number: Int, to sum: Int) -> Int { sum + number }
    func callBack(_ body: @escaping @Loop @Sendable () -> Void, times: Int) async {
      for _ in 0..<times { await body() }
    }
  }

  @Loop final class Hops {
    var count = 0
  }

  private nonisolated static func threads(named name: String) throws -> Int {
    let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")
    return tasks.count { task in
      // A thread may end between the listing and the look.
      (try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)) == name + "\n"
    }
  }

  @Loop @Test func `an actor runs on its one thread, which is not the loop's, and comes back to the loop`()
    async throws
  {
    let thread = try WorkerThread(named: "sluice-one")
    let worker = Worker(thread)
    let loop = callingThread()
    let first = await worker.currentThread()
    #expect(first != loop)
    for _ in 0..<100 {
      #expect(await worker.currentThread() == first)
      #expect(callingThread() == loop)
    }
    #expect(try Self.threads(named: "sluice-one") == 1)
    thread.stop()
  }

  @Loop @Test func `the loop goes on while a worker blocks`() async throws {
    let thread = try WorkerThread(named: "sluice-block")
    let worker = Worker(thread)
    let semaphore = DispatchSemaphore(value: 0)
    let blocked = Task { await worker.block(on: semaphore) }
    // The only one that can let the worker go on is the loop, after it has waited for the kernel.
    await Loop.sleep(for: .milliseconds(1))
    semaphore.signal()
    await blocked.value
    thread.stop()
  }

  @Loop @Test func `runs its jobs in order`() async throws {
    let thread = try WorkerThread(named: "sluice-order")
    let worker = Worker(thread)
    await worker.appendInTasks(1000)
    await RunningLoop.turns { worker.numbers.count == 1000 }
    #expect(worker.numbers == Array(0..<1000))
    thread.stop()
  }

  @Loop @Test func `the thread ends once it has run what it was asked for`() async throws {
    let thread = try WorkerThread(named: "sluice-ends")
    let worker = Worker(thread)
    #expect(try Self.threads(named: "sluice-ends") == 1)
    await worker.appendInTasksAndStop(100)
    await RunningLoop.turns { (try? Self.threads(named: "sluice-ends")) == 0 }
    #expect(worker.numbers == Array(0..<100))
  }

  @Loop @Test func `a thread that was asked for nothing ends too, and frees its executor`() async throws {
    weak var executor: WorkerThread?
    do {
      let thread = try WorkerThread(named: "sluice-idle")
      executor = thread
      thread.stop()
    }
    await RunningLoop.turns { (try? Self.threads(named: "sluice-idle")) == 0 && executor == nil }
  }

  @Loop @Test func `shows the first fifteen bytes of its name`() async throws {
    let thread = try WorkerThread(named: "sluice-a-very-long-name")
    await RunningLoop.turns { (try? Self.threads(named: "sluice-a-very-l")) == 1 }
    thread.stop()
  }

  @Loop @Test func `no wake-up is lost in a hundred thousand hops`() async throws {
    let thread = try WorkerThread(named: "sluice-hops")
    let worker = Worker(thread)
    var sum = 0
    for number in 0..<50_000 { sum = await worker.add(number, to: sum) }
    #expect(sum == 50_000 * 49_999 / 2)
    thread.stop()
  }

  @Loop @Test func `no wake-up is lost among several workers and many tasks`() async throws {
    let threads = try (0..<3).map { number throws(SystemError) in
      try WorkerThread(named: "sluice-many-\(number)")
    }
    let hops = Hops()
    await withTaskGroup { group in
      for thread in threads {
        let worker = Worker(thread)
        for _ in 0..<4 {
          group.addTask { await worker.callBack({ hops.count += 1 }, times: 1000) }
        }
      }
    }
    #expect(hops.count == 12_000)
    for thread in threads { thread.stop() }
  }
}
