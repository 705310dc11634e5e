import Glibc
import TestSupport
import Testing

@testable import EventLoop
@testable import System

extension RunningLoop {
  /// The deadlines of the waits that end within so many days, and not a day sooner.
  ///
  /// A test knows its own waits, among those of the tests that run beside it, by a number of days no other has.
  @Loop static func deadlines(ofDays days: Int) -> [ContinuousClock.Instant] {
    guard let heap = Mirror(reflecting: Reactor.shared.deadlines).descendant("heap") as? [Waiter] else {
      preconditionFailure("DeadlineHeap has no heap")
    }
    let end = ContinuousClock.now + .days(days)
    return heap.compactMap(\.deadline).filter { end - .days(1) < $0 && $0 <= end }
  }

  /// How many such waits there are.
  @Loop static func waits(ofDays days: Int) -> Int { deadlines(ofDays: days).count }

  /// Lets the loop turn until something is so.
  @Loop static func turns(until condition: () throws -> Bool) async rethrows {
    while try !condition() { await Task.yield() }
  }
}

extension Duration {
  static func days(_ count: Int) -> Duration { .seconds(86_400 * count) }
}

/// Starts the loop before the tests of a suite, which are then free to be `@Loop`, and runs them as `Loop.start`
/// runs a task.
struct LoopTrait: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func prepare(for test: Test) async throws { RunningLoop.start() }

  @concurrent func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(LoopExecutor.shared, operation: function)
  }

  func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? { testCase == nil ? nil : self }
}

extension Trait where Self == LoopTrait {
  static var onTheLoop: LoopTrait { LoopTrait() }
}

/// SplitMix64, so that what is random in a test is the same each time.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}
