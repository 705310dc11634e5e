import Synchronization

/// The memory that copies of databases may take together, in bytes.
package final class MemoryBudget: Sendable {
  private let available: Atomic<UInt64>

  /// Makes a budget of so many bytes.
  package init(byteCount: UInt64) { available = Atomic(byteCount) }

  /// Takes a part of the budget, or answers nil when there is not so much left.
  package func reserve(_ byteCount: UInt64) -> Reservation? {
    var seen = available.load(ordering: .relaxed)
    while byteCount <= seen {
      let (isTaken, current) = available.weakCompareExchange(
        expected: seen, desired: seen - byteCount, ordering: .relaxed)
      if isTaken { return Reservation(budget: self, byteCount: byteCount) }
      seen = current
    }
    return nil
  }

  /// A part of the budget, given back when its owner goes.
  package struct Reservation: ~Copyable {
    fileprivate let budget: MemoryBudget
    fileprivate let byteCount: UInt64
    deinit { budget.available.add(byteCount, ordering: .relaxed) }
  }
}
