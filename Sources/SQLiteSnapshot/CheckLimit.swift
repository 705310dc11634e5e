import CSQLite
import Synchronization

/// Where a check of a database ends that is not done by then: at a time, or when another thread says so.
package final class CheckLimit: Sendable {
  private let end: ContinuousClock.Instant
  /// Nanoseconds for which the check could not go on.
  private let paused = Atomic<Int64>(0)
  private let isStopped = Atomic<Bool>(false)

  /// Begins now.
  ///
  /// - Parameter time: how long the check may take.
  package init(_ time: Duration) { end = .now + time }

  /// Lets the check end as soon as SQLite lets it.
  package func stop() { isStopped.store(true, ordering: .relaxed) }

  /// Whether the time is over, or `stop` was called.
  package var isReached: Bool { isStopped.load(ordering: .relaxed) || isOver }

  /// Whether the time is over.
  package var isOver: Bool {
    ContinuousClock.now - .nanoseconds(paused.load(ordering: .relaxed)) >= end
  }

  /// Waits for something that the check needs: that takes none of its time.
  func pausing(_ wait: () -> Bool) -> Bool {
    let begun = ContinuousClock.now
    let result = wait()
    let nanoseconds = (ContinuousClock.now - begun) / .nanoseconds(1)
    paused.add(Int64(nanoseconds), ordering: .relaxed)
    return result
  }

  /// - Throws: `SQLITE_INTERRUPT` if it is reached.
  func check() throws(SQLiteError) {
    if isReached { throw SQLiteError(code: SQLITE_INTERRUPT, message: "not finished in time") }
  }
}
