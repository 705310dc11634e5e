internal import CSQLite
internal import Synchronization

/// Where a check of a database ends that is not done by then: at a time, or when another thread says so.
public final class CheckLimit: Sendable {
  private let end: ContinuousClock.Instant
  private let isStopped = Atomic<Bool>(false)

  /// Begins now.
  ///
  /// - Parameter time: how long the check may take.
  public init(_ time: Duration) { end = .now + time }

  /// Lets the check end as soon as SQLite lets it.
  public func stop() { isStopped.store(true, ordering: .relaxed) }

  /// Whether the time is over, or `stop` was called.
  public var isReached: Bool { isStopped.load(ordering: .relaxed) || isOver }

  /// Whether the time is over.
  public var isOver: Bool { ContinuousClock.now >= end }

  /// - Throws: `SQLITE_INTERRUPT` if it is reached.
  func check() throws(SQLiteError) {
    if isReached { throw SQLiteError(code: SQLITE_INTERRUPT, message: "not finished in time") }
  }
}
