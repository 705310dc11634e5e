import Archive
import SQLiteSnapshot
import System

/// Lets SQLite look at databases from outside, one after the other, each for no longer than it may take.
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

  /// Looks at one.
  ///
  /// - Throws: `RestoreError.interrupted`; `SystemError` if there is no thread to be had.
  mutating func findings(of content: DatabaseContent) throws -> DatabaseFindings {
    if isInterrupted() { throw RestoreError.interrupted }
    var unfinished = DatabaseFindings()
    guard !isAnotherGoingOn else {
      unfinished.unfinished = "not begun: the check of another database does not end"
      return unfinished
    }
    let limit = CheckLimit(timeLimit)
    var giveUpAt: ContinuousClock.Instant?
    let findings = try AbandonableThread.run(named: "check") {
      if giveUpAt == nil, isInterrupted() || limit.isOver {
        limit.stop()
        giveUpAt = .now + Self.grace
      }
      return giveUpAt.map { ContinuousClock.now >= $0 } ?? false
    } _: { [isThorough] in
      content.findings(isThorough: isThorough, limit)
    }
    if isInterrupted() { throw RestoreError.interrupted }
    guard let findings else {
      isAnotherGoingOn = true
      unfinished.unfinished = "not finished within \(timeLimit)"
      return unfinished
    }
    guard findings.unfinished != nil, limit.isOver else { return findings }
    unfinished.unfinished = "not finished within \(timeLimit)"
    return unfinished
  }
}
