/// One suspended operation on the loop, woken once: by what it waits for, by its deadline, or called off.
@Loop final class Waiter {
  /// Why a waiter goes on.
  enum Reason {
    case ready
    case deadline
    case cancelled
  }

  let deadline: ContinuousClock.Instant?
  /// Its place in the heap of deadlines; -1 while it has none.
  var heapIndex = -1
  private var continuation: CheckedContinuation<Reason, Never>?

  private init(_ continuation: CheckedContinuation<Reason, Never>, deadline: ContinuousClock.Instant?) {
    self.continuation = continuation
    self.deadline = deadline
  }

  /// Suspends the caller. `register` puts the waiter where it will be found.
  static func suspend(
    until deadline: ContinuousClock.Instant?, _ register: (Waiter) -> Void
  ) async -> Reason {
    await withCheckedContinuation { continuation in
      let waiter = Waiter(continuation, deadline: deadline)
      if deadline != nil { Reactor.shared.deadlines.insert(waiter) }
      register(waiter)
    }
  }

  func wake(_ reason: Reason) {
    guard let continuation else { return }
    self.continuation = nil
    Reactor.shared.deadlines.remove(self)
    continuation.resume(returning: reason)
  }
}

/// Something that several operations may wait for, and that another announces.
@Loop package final class Condition {
  private var waiters: [Waiter] = []

  /// Makes a condition that no operation waits for yet.
  package nonisolated init() {}

  /// Suspends the caller until the next `notify`, at most until the deadline.
  ///
  /// - Returns: whether it was notified in time.
  package func wait(until deadline: ContinuousClock.Instant? = nil) async -> Bool {
    let reason = await Waiter.suspend(until: deadline) { waiters.append($0) }
    if reason == .deadline { waiters.removeAll { $0.heapIndex == -1 && $0.isDone } }
    return reason == .ready
  }

  /// Wakes all that wait.
  package func notify() {
    let waiters = self.waiters
    self.waiters.removeAll()
    for waiter in waiters { waiter.wake(.ready) }
  }
}

extension Waiter {
  fileprivate var isDone: Bool { continuation == nil }
}
