package import System

extension MemoryBudget {
  /// Whether there is so much left.
  package func has(_ byteCount: UInt64) -> Bool { isThere(reserve(byteCount)) }
}

/// Whether a reservation was made.
package func isThere(_ reservation: borrowing MemoryBudget.Reservation?) -> Bool {
  switch reservation {
  case .some: true
  case nil: false
  }
}
