import TestSupport
import Testing

@testable import System

struct MemoryBudgetTests {
  @Test func `gives no more than there is`() {
    let budget = MemoryBudget(byteCount: 100)
    let first = budget.reserve(60)
    let firstIsThere = isThere(first)
    #expect(firstIsThere)
    #expect(!budget.has(41))
    let second = budget.reserve(40)
    let secondIsThere = isThere(second)
    #expect(secondIsThere)
    #expect(!budget.has(1))
    #expect(budget.has(0))
    withExtendedLifetime(first) {}
    withExtendedLifetime(second) {}
  }

  @Test func `takes back what its owner drops`() {
    let budget = MemoryBudget(byteCount: 100)
    for _ in 0..<3 {
      let reservation = budget.reserve(100)
      let reservationIsThere = isThere(reservation)
      #expect(reservationIsThere)
      #expect(!budget.has(1))
      withExtendedLifetime(reservation) {}
    }
    #expect(budget.has(100))
    #expect(!budget.has(.max))
  }

  @Test func `is never overdrawn by many at once`() async {
    let budget = MemoryBudget(byteCount: 10)
    await withTaskGroup { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<2000 {
            let reservation = budget.reserve(6)
            if isThere(reservation) { #expect(!budget.has(5)) }
            withExtendedLifetime(reservation) {}
          }
        }
      }
    }
    #expect(budget.has(10))
  }
}
