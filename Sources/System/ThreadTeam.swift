/// The thread that owns it and helpers, one thread for each processor together, which share one piece of work.
///
/// The helpers are as nice as their owner: what a `WorkerPool` runs may wait for every other thread, and this may not, since
/// a lock is held meanwhile. They start with the first piece of work and end with the team. Used by one thread.
package final class ThreadTeam {
  /// A few threads have the memory busy: more would only take processors away from others.
  private static let maximumCount = 8
  private static let stackSize = 512 * 1024

  private final class Exchange: Sendable {
    struct State {
      /// Nil once its owner has returned from it: no helper begins it then.
      var work: (@Sendable () -> Void)?
      /// How many helpers have begun and not returned.
      var active = 0
      var isEnded = false
    }

    let state = Lock(State())
    /// Helpers wait for the first, their owner for the second.
    let begun: Descriptor
    let done: Descriptor

    init() throws(SystemError) {
      begun = try SystemCalls.semaphore()
      done = try SystemCalls.semaphore()
    }

    func help() {
      while true {
        SystemCalls.consumeEvent(begun)
        let (work, isEnded) = state.withLock { state in
          if state.work != nil { state.active += 1 }
          return (state.work, state.isEnded)
        }
        if isEnded { return }
        guard let work else { continue }
        work()
        let isAwaited = state.withLock { state in
          state.active -= 1
          return state.active == 0 && state.work == nil
        }
        if isAwaited { SystemCalls.signalEvent(done) }
      }
    }
  }

  private let name: String
  /// How many threads work on a piece of work, the owner's among them.
  package let count: Int
  private var exchange: Exchange?
  private var helpers: [SystemCalls.Thread] = []
  private var hasBegun = false

  /// Starts no thread yet.
  ///
  /// - Parameters:
  ///   - name: what `ps -L` and a debugger show; at most 15 bytes.
  ///   - count: of threads; nil for one for each processor.
  package init(named name: String, count: Int? = nil) {
    self.name = name
    self.count = max(1, min(count ?? SystemCalls.processorCount(), Self.maximumCount))
  }

  /// Calls `work` on all threads, and returns when all that have begun it have returned. A helper that does not get a processor,
  /// or could not be started, is not waited for: `work` takes the next of what is to be done until nothing is left.
  package func run(_ work: @escaping @Sendable () -> Void) {
    start()
    guard let exchange, !helpers.isEmpty else { return work() }
    exchange.state.withLock { $0.work = work }
    for _ in helpers { SystemCalls.signalEvent(exchange.begun) }
    work()
    let active = exchange.state.withLock { state in
      state.work = nil
      return state.active
    }
    if active > 0 { SystemCalls.consumeEvent(exchange.done) }
  }

  private func start() {
    guard !hasBegun else { return }
    hasBegun = true
    guard count > 1, let exchange = try? Exchange() else { return }
    self.exchange = exchange
    while helpers.count < count - 1 {
      let helper = try? SystemCalls.startThread(named: name, stackSize: Self.stackSize, isJoinable: true) {
        exchange.help()
      }
      guard let helper else { return }
      helpers.append(helper)
    }
  }

  deinit {
    guard let exchange else { return }
    exchange.state.withLock { $0.isEnded = true }
    for _ in helpers { SystemCalls.signalEvent(exchange.begun) }
    for helper in helpers { SystemCalls.join(helper) }
  }
}
