import Synchronization

/// The memory that copies of databases may take together, in bytes.
public final class MemoryBudget: Sendable {
  private let available: Mutex<UInt64>

  /// Makes a budget of so many bytes.
  public init(byteCount: UInt64) { available = Mutex(byteCount) }

  /// Takes a part of the budget, or answers nil when there is not so much left.
  func reserve(_ byteCount: UInt64) -> Reservation? {
    let isTaken = available.withLock { available in
      guard byteCount <= available else { return false }
      available -= byteCount
      return true
    }
    return isTaken ? Reservation(budget: self, byteCount: byteCount) : nil
  }

  /// A part of the budget, given back when its owner goes.
  struct Reservation: ~Copyable {
    fileprivate let budget: MemoryBudget
    fileprivate let byteCount: UInt64
    deinit { budget.available.withLock { $0 += byteCount } }
  }
}
