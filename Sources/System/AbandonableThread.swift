/// A thread for what may never return, such as an expression in a database from outside: it is waited for as long as its
/// starter likes.
package enum AbandonableThread {
  /// As much as a process's first thread has: SQLite's patterns are recursive.
  private static let stackSize = 8 << 20
  private static let millisecondsPerLook: CInt = 20

  fileprivate final class Outcome<Result: Sendable>: Sendable {
    let result = Lock<Result?>(nil)
    let isThere: Descriptor
    init() throws(SystemError) { isThere = try SystemCalls.eventDescriptor(nonblocking: false) }
  }

  /// A thread that was started. It runs on by itself if its owner does not wait for it.
  package struct Running<Result: Sendable>: ~Copyable {
    private let outcome: Outcome<Result>
    private let thread: UInt
    private var isJoined = false

    fileprivate init(_ outcome: Outcome<Result>, _ thread: UInt) {
      self.outcome = outcome
      self.thread = thread
    }

    deinit { if !isJoined { SystemCalls.detach(thread) } }

    /// Whether it has returned.
    package var hasReturned: Bool { SystemCalls.isReadable(outcome.isThere.rawValue, within: 0) }

    /// Waits for what it returns.
    ///
    /// - Parameter isGivenUp: is asked about every 20 ms whether to wait no longer.
    /// - Returns: nil if it was given up, and then it runs on until the process ends.
    package consuming func result(isGivenUp: () -> Bool = { false }) -> Result? {
      while !SystemCalls.isReadable(outcome.isThere.rawValue, within: millisecondsPerLook) {
        if isGivenUp() { return nil }
      }
      // It has yet to release what it was started with: a process that ends before would leak that.
      SystemCalls.join(thread)
      isJoined = true
      return outcome.result.withLock { $0 }
    }
  }

  /// Runs `body` on a thread of its own.
  ///
  /// - Parameter name: what `ps -L` and a debugger show; at most 15 bytes.
  /// - Throws: `EAGAIN` when no thread can be had, `EMFILE` when no descriptor can.
  package static func start<Result: Sendable>(
    named name: String, _ body: @escaping @Sendable () -> Result
  ) throws(SystemError) -> Running<Result> {
    let outcome = try Outcome<Result>()
    let thread = try SystemCalls.startThread(named: name, stackSize: stackSize, isJoinable: true) {
      let result = body()
      outcome.result.withLock { $0 = result }
      SystemCalls.signalEvent(outcome.isThere)
    }
    return Running(outcome, thread)
  }

  /// The same, and waits.
  ///
  /// - Parameter isGivenUp: is asked about every 20 ms whether to wait no longer.
  /// - Returns: what `body` returns; nil if it was given up, and then it runs on until the process ends.
  package static func run<Result: Sendable>(
    named name: String, isGivenUp: () -> Bool, _ body: @escaping @Sendable () -> Result
  ) throws(SystemError) -> Result? {
    try start(named: name, body).result(isGivenUp: isGivenUp)
  }
}
