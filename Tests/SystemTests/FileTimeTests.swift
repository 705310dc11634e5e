import Glibc
import Testing

@testable import System

struct FileTimeTests {
  private static let second: Int64 = 1_000_000_000

  /// A change at 100 s, and a moment so many nanoseconds after it.
  @Test(
    arguments: [
      (1, 19_000_000, true), (1, 21_000_001, false), (1, -1, true),
      // Times in whole seconds, or in pairs of them.
      (0, 2_000_000_000, true), (0, 2_100_000_001, false),
    ] as [(Int, Int64, Bool)])
  func `a change within one tick of the clock may get the same time`(
    nanoseconds: Int, delay: Int64, expected: Bool
  ) {
    let time = FileSystem.Time(timespec(tv_sec: 100, tv_nsec: nanoseconds))
    let moment = 100 * Self.second + Int64(nanoseconds) + delay
    #expect(time.mayRecur(at: moment) == expected)
  }

  @Test func `a time that is still to come is given by no change now`() {
    let time = FileSystem.Time(timespec(tv_sec: 100, tv_nsec: 1))
    #expect(time.isNear(100 * Self.second))
    #expect(!time.isNear(99 * Self.second))
  }
}
