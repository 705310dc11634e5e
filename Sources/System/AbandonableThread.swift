/// A thread for what may never return, such as an expression in a database from outside: it is waited for as long as its
/// starter likes.
package enum AbandonableThread {
  /// As much as a process's first thread has: SQLite's patterns are recursive.
  private static let stackSize = 8 << 20
  private static let millisecondsPerLook: CInt = 20

  private final class Outcome<Result: Sendable>: Sendable {
    let result = Lock<Result?>(nil)
    let isThere: Descriptor
    init() throws(SystemError) { isThere = try SystemCalls.eventDescriptor(nonblocking: false) }
  }

  /// Runs `body` on a thread of its own, and waits.
  ///
  /// - Parameters:
  ///   - name: what `ps -L` and a debugger show; at most 15 bytes.
  ///   - isGivenUp: is asked about every 20 ms whether to wait no longer.
  /// - Returns: what `body` returns; nil if it was given up, and then it runs on until the process ends.
  /// - Throws: `EAGAIN` when no thread can be had, `EMFILE` when no descriptor can.
  package static func run<Result: Sendable>(
    named name: String, isGivenUp: () -> Bool, _ body: @escaping @Sendable () -> Result
  ) throws(SystemError) -> Result? {
    let outcome = try Outcome<Result>()
    let thread = try SystemCalls.startThread(named: name, stackSize: stackSize, isJoinable: true) {
      let result = body()
      outcome.result.withLock { $0 = result }
      SystemCalls.signalEvent(outcome.isThere)
    }
    while !SystemCalls.isReadable(outcome.isThere.rawValue, within: millisecondsPerLook) {
      guard isGivenUp() else { continue }
      SystemCalls.detach(thread)
      return nil
    }
    // It has yet to release what it was started with: a process that ends before would leak that.
    SystemCalls.join(thread)
    return outcome.result.withLock { $0 }
  }
}
