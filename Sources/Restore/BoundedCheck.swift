import Archive
import SQLiteSnapshot
import System

/// Lets SQLite look at databases from outside, one after the other, each for no longer than it may take, beside what its
/// caller does meanwhile.
///
/// Each is looked at on a thread of its own: an expression in a hostile schema can keep SQLite from ending at an interrupt.
struct BoundedCheck: Sendable {
  /// For each database.
  let timeLimit: Duration
  let isThorough: Bool
  let isInterrupted: @Sendable () -> Bool
  /// The check of an earlier one goes on, and takes a processor and memory: one such is enough.
  private var isAnotherGoingOn = false

  /// How long SQLite may take to end at an interrupt: it looks every few milliseconds but in one step, that over pages.
  private static let grace = Duration.seconds(1)

  init(timeLimit: Duration, isThorough: Bool, isInterrupted: @escaping @Sendable () -> Bool) {
    self.timeLimit = timeLimit
    self.isThorough = isThorough
    self.isInterrupted = isInterrupted
  }

  /// A check that was begun.
  struct Begun: ~Copyable {
    fileprivate let limit: CheckLimit
    /// Nil if the check of another database does not end.
    fileprivate var thread: AbandonableThread.Running<DatabaseFindings>?
  }

  /// Begins to look at one. What was found of the one before must have been waited for.
  ///
  /// - Throws: `RestoreError.interrupted`; `SystemError` if there is no thread to be had.
  func begin(_ content: DatabaseContent) throws -> Begun {
    if isInterrupted() { throw RestoreError.interrupted }
    let limit = CheckLimit(timeLimit)
    guard !isAnotherGoingOn else { return Begun(limit: limit, thread: nil) }
    let thread = try AbandonableThread.start(named: "check") { [isThorough] in
      content.findings(isThorough: isThorough, limit)
    }
    return Begun(limit: limit, thread: thread)
  }

  /// The same of a file of a restore.
  ///
  /// - Throws: `interrupted`; `staging` if there is no thread to be had.
  func begin(_ content: DatabaseContent, of path: BytePath) throws(RestoreError) -> Begun {
    do { return try begin(content) } catch let error as RestoreError {
      throw error
    } catch {
      throw .staging(path: path, detail: "\(error)")
    }
  }

  /// Whether what was found is there, or will not be waited for any longer.
  func isOver(_ begun: borrowing Begun) -> Bool {
    if begun.limit.isReached || isInterrupted() { return true }
    switch begun.thread {
    case .some(let thread): return thread.hasReturned
    case nil: return true
    }
  }

  /// Ends a check of which the findings are of no use any more.
  mutating func discard(_ begun: consuming Begun) {
    begun.limit.stop()
    _ = try? findings(of: begun)
  }

  /// Waits for what was found.
  ///
  /// - Throws: `RestoreError.interrupted`.
  mutating func findings(of begun: consuming Begun) throws -> DatabaseFindings {
    var unfinished = DatabaseFindings()
    let limit = begun.limit
    guard let thread = begun.thread.take() else {
      unfinished.unfinished = "not begun: the check of another database does not end"
      return unfinished
    }
    var giveUpAt: ContinuousClock.Instant?
    let isInterrupted = isInterrupted
    let findings = thread.result {
      if giveUpAt == nil, isInterrupted() || limit.isReached {
        limit.stop()
        giveUpAt = .now + Self.grace
      }
      return giveUpAt.map { ContinuousClock.now >= $0 } ?? false
    }
    if findings == nil { isAnotherGoingOn = true }
    if isInterrupted() { throw RestoreError.interrupted }
    guard let findings else {
      unfinished.unfinished = "not finished within \(timeLimit)"
      return unfinished
    }
    guard findings.unfinished != nil, limit.isOver else { return findings }
    unfinished.unfinished = "not finished within \(timeLimit)"
    return unfinished
  }
}
