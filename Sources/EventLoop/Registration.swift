import Glibc
import System

/// A descriptor's place in the loop: what waits to read from it and what to write.
@Loop final class Registration {
  let descriptor: CInt
  private var reader: Waiter?
  private var writer: Waiter?
  /// Edges that came while no operation waited. A task that does not prefer the loop's executor may be queued between
  /// its `EAGAIN` and its wait.
  private var isReadable = false
  private var isWritable = false
  private(set) var isCancelled = false
  /// Called once, when the peer is found to be gone for good.
  var onLost: (() -> Void)?

  init(_ descriptor: CInt) throws(SystemError) {
    self.descriptor = descriptor
    try Reactor.shared.add(self)
  }

  /// Which of its two waiters an operation is.
  enum Direction {
    case read
    case write
  }

  /// Suspends until there is an edge in one direction.
  ///
  /// - Throws: `ETIMEDOUT` after the deadline, `ECANCELED` once `cancel` was called.
  func wait(
    _ direction: Direction, for call: StaticString, until deadline: ContinuousClock.Instant?
  ) async throws(SystemError) {
    guard !isCancelled else { throw SystemError(call: "\(call)", errno: ECANCELED) }
    let reason = await Waiter.suspend(until: deadline) { waiter in
      switch direction {
      case .read:
        precondition(reader == nil, "one reader a descriptor")
        if isReadable { waiter.wake(.ready) } else { reader = waiter }
        isReadable = false
      case .write:
        precondition(writer == nil, "one writer a descriptor")
        if isWritable { waiter.wake(.ready) } else { writer = waiter }
        isWritable = false
      }
    }
    switch direction {
    case .read: reader = nil
    case .write: writer = nil
    }
    switch reason {
    case .ready: return
    case .deadline: throw SystemError(call: "\(call)", errno: ETIMEDOUT)
    case .cancelled: throw SystemError(call: "\(call)", errno: ECANCELED)
    }
  }

  func signal(_ readiness: Readiness) {
    if readiness.isReadable {
      if let reader { reader.wake(.ready) } else { isReadable = true }
      reader = nil
    }
    if readiness.isWritable {
      if let writer { writer.wake(.ready) } else { isWritable = true }
      writer = nil
    }
    if readiness.isLost, let onLost {
      self.onLost = nil
      onLost()
    }
  }

  /// Ends every wait, now and from now on.
  func cancel() {
    isCancelled = true
    reader?.wake(.cancelled)
    writer?.wake(.cancelled)
  }
}
