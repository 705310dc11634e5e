/// A task executor with a thread for each processor, for what keeps them busy: whichever is free runs the job that has waited
/// longest. The threads live as long as the process, and let all others go before them.
///
/// Swift's own pool would do, had it not to open a file in /proc every second to see whether its threads run: a process that
/// has no descriptor left is ended by that.
package final class WorkerPool: TaskExecutor {
  private static let stackSize = 512 * 1024
  /// About a tenth of the weight of a thread that was never told to be nice: sched(7).
  private static let niceness: CInt = 10

  private struct Queue {
    var jobs: [UnownedJob] = []
    /// The threads that wait, or are about to, and that no job has woken.
    var idleCount = 0
  }

  private let queue = Lock(Queue())
  /// Each job that finds an idle thread wakes one.
  private let wakeup: Descriptor

  /// One for each processor that this process may use.
  package let threadCount = SystemCalls.processorCount()

  /// Starts the threads.
  ///
  /// - Parameter name: what `ps -L` and a debugger show; at most 15 bytes.
  /// - Throws: `EAGAIN` when no thread can be had, `EMFILE` when no descriptor can.
  package init(named name: String) throws(SystemError) {
    wakeup = try SystemCalls.semaphore()
    for _ in 0..<threadCount {
      try SystemCalls.startThread(named: name, stackSize: Self.stackSize) { self.run() }
    }
  }

  /// Adds a job; called by the Swift runtime.
  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let wakesThread = queue.withLock { queue in
      queue.jobs.append(job)
      guard queue.idleCount > 0 else { return false }
      queue.idleCount -= 1
      return true
    }
    if wakesThread { SystemCalls.signalEvent(wakeup) }
  }

  private func run() {
    SystemCalls.beNice(Self.niceness)
    while true {
      let job = queue.withLock { queue -> UnownedJob? in
        guard queue.jobs.isEmpty else { return queue.jobs.removeFirst() }
        queue.idleCount += 1
        return nil
      }
      if let job {
        unsafe job.runSynchronously(on: asUnownedTaskExecutor())
      } else {
        SystemCalls.consumeEvent(wakeup)
      }
    }
  }
}
