/// A serial executor with a thread of its own, for what blocks: SQLite, file reads, file writes.
///
/// An actor that answers one as its `unownedExecutor` runs there and nowhere else.
package final class WorkerThread: SerialExecutor {
  /// SQLite and a file system's own call chains fit many times.
  private static let stackSize = 512 * 1024

  private struct Queue {
    var jobs: [UnownedJob] = []
    var isStopped = false
  }

  private let queue = Lock(Queue())
  private let wakeup: Descriptor

  /// Starts the thread.
  ///
  /// - Parameter name: what `ps -L` and a debugger show; at most 15 bytes.
  /// - Throws: `EAGAIN` when no thread can be had, `EMFILE` when no descriptor can.
  package init(named name: String) throws(SystemError) {
    wakeup = try SystemCalls.eventDescriptor(nonblocking: false)
    // The thread keeps the executor alive until `stop`.
    try SystemCalls.startThread(named: name, stackSize: Self.stackSize) { self.run() }
  }

  /// Lets the thread end once it has run what was asked of it so far. Nothing may be asked of it after.
  package func stop() {
    queue.withLock { $0.isStopped = true }
    SystemCalls.signalEvent(wakeup)
  }

  /// A third of the weight of a thread that was never told to be nice, and three times that of one of a `WorkerPool`: if
  /// the thread that hands work out must wait for those that do it, they will wait for work.
  private static let niceness: CInt = 5

  /// Lets others go before the calling thread from now on: its own process's event loop as well as the application
  /// whose databases are backed up.
  package static func yieldToOthers() { SystemCalls.beNice(niceness) }

  /// Adds a job; called by the Swift runtime.
  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.withLock { queue in
      queue.jobs.append(job)
      // Under the lock: once the job can run, it may be the last that keeps this executor alive.
      if queue.jobs.count == 1 { SystemCalls.signalEvent(wakeup) }
    }
  }

  private func run() {
    while true {
      let (jobs, isStopped) = queue.withLock { queue in
        defer { queue.jobs.removeAll(keepingCapacity: true) }
        return (queue.jobs, queue.isStopped)
      }
      for job in jobs { unsafe job.runSynchronously(on: asUnownedSerialExecutor()) }
      guard jobs.isEmpty else { continue }
      if isStopped { return }
      SystemCalls.consumeEvent(wakeup)
    }
  }
}
