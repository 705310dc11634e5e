import Testing

@testable import System

struct AbandonableThreadTests {
  @Test func `waits for a result as long as it may`() throws {
    var looks = 0
    let isAllowed = Lock(false)
    let result = try AbandonableThread.run(
      named: "test",
      isGivenUp: {
        looks += 1
        isAllowed.withLock { $0 = looks >= 2 }
        return false
      }
    ) {
      while !isAllowed.withLock({ $0 }) {}
      return 7
    }
    #expect(result == 7 && looks >= 2)
  }

  @Test func `leaves what does not end behind`() throws {
    let isOver = Lock(false)
    let result: Void? = try AbandonableThread.run(named: "test", isGivenUp: { true }) {
      while !isOver.withLock({ $0 }) {}
    }
    #expect(result == nil)
    isOver.withLock { $0 = true }
  }
}
