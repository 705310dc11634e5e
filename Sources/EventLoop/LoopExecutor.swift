import CLinux
import Synchronization
import System

/// Runs the loop's jobs one at a time on one thread, and waits for the kernel when there are none.
///
/// It is a task executor too, for one reason: a task that is resumed by a continuation is first queued on its
/// preferred task executor, and without one on Swift's concurrent pool, which nothing else here has a use for.
/// Each job is run as isolated to the loop *and* on its task executor, so no task has to be queued twice.
final class LoopExecutor: SerialExecutor, TaskExecutor {
  /// The one of this process, or why there is none.
  static let result: Result<LoopExecutor, SystemError> = {
    do throws(SystemError) { return .success(try LoopExecutor()) } catch { return .failure(error) }
  }()

  /// Traps if there is none: what runs the loop has met the failure before.
  static var shared: LoopExecutor {
    switch result {
    case .success(let executor): return executor
    case .failure(let error): fatalError("no event loop: \(error)")
    }
  }

  private struct Queue {
    var jobs: [UnownedJob] = []
    /// The loop is about to wait, or waits: the thread that adds the first job has to wake it.
    var isAsleep = false
  }

  private let queue = Lock(Queue())
  private let thread = Atomic<UInt>(0)
  /// An eventfd whose edges end the loop's wait.
  let wakeup: Descriptor
  /// What the loop waits with.
  let epoll: Descriptor

  private init() throws(SystemError) {
    wakeup = try SystemCalls.eventDescriptor(nonblocking: true)
    epoll = try SystemCalls.epollCreate()
    // Never read: each write is an edge of its own.
    try SystemCalls.epollAdd(epoll, wakeup.rawValue, EPOLLIN.rawValue | EPOLLET.rawValue)
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let wakes = queue.withLock { queue in
      queue.jobs.append(job)
      defer { queue.isAsleep = false }
      return queue.isAsleep
    }
    if wakes { SystemCalls.signalEvent(wakeup) }
  }

  func isIsolatingCurrentContext() -> Bool? {
    thread.load(ordering: .relaxed) == SystemCalls.currentThread()
  }

  func checkIsolated() {
    precondition(isIsolatingCurrentContext() == true, "not on the event loop's thread")
  }

  /// What the task that the loop runs for has come to.
  private final class Outcome<Success: Sendable>: Sendable {
    let result = Lock<Result<Success, any Error>?>(nil)
  }

  func run<Success: Sendable>(
    _ body: @escaping @Loop @Sendable () async throws -> Success
  ) throws -> Success {
    thread.store(SystemCalls.currentThread(), ordering: .relaxed)
    defer { thread.store(0, ordering: .relaxed) }
    let outcome = Outcome<Success>()
    Loop.start {
      let result: Result<Success, any Error>
      do { result = .success(try await body()) } catch { result = .failure(error) }
      outcome.result.withLock { $0 = result }
    }
    while true {
      runJobs()
      if let result = outcome.result.withLock({ $0 }) { return try result.get() }
      let mayWait = queue.withLock { queue in
        queue.isAsleep = queue.jobs.isEmpty
        return queue.isAsleep
      }
      Loop.assumeIsolated { Reactor.shared.turn(mayWait: mayWait) }
      queue.withLock { $0.isAsleep = false }
    }
  }

  /// Runs the jobs that are there now; those which they add wait for the kernel's events to have their turn.
  private func runJobs() {
    let jobs = queue.withLock { queue in
      defer { queue.jobs.removeAll(keepingCapacity: true) }
      return queue.jobs
    }
    for job in jobs {
      unsafe job.runSynchronously(
        isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
    }
  }
}
