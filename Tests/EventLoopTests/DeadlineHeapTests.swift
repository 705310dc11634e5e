import TestSupport
import Testing

@testable import EventLoop
@testable import System

@Suite(.onTheLoop, .timeLimit(.minutes(15)))
struct DeadlineHeapTests {
  /// Operations that are suspended until `wakeAll`, each with a deadline that the loop itself does not know of.
  @Loop final class Sleepers {
    private(set) var waiters: [Waiter] = []
    private var tasks: [Task<Waiter.Reason, any Error>] = []

    init(_ deadlines: [ContinuousClock.Instant]) async {
      for deadline in deadlines {
        tasks.append(
          Loop.start {
            await Waiter.suspend(until: deadline) { waiter in
              Reactor.shared.deadlines.remove(waiter)
              self.waiters.append(waiter)
            }
          })
      }
      await RunningLoop.turns { waiters.count == deadlines.count }
    }

    /// To be called when none of them is in any heap.
    func wakeAll() async throws {
      for waiter in waiters { waiter.wake(.ready) }
      for task in tasks { #expect(try await task.value == .ready) }
    }
  }

  @Test(arguments: [1, 2, 3])
  @Loop func `agrees with a sorted array over thousands of operations`(seed: UInt64) async throws {
    var random = SeededGenerator(seed: seed)
    let start = ContinuousClock.now + .days(1000)
    // Few enough different instants that many are equal.
    let sleepers = await Sleepers(
      (0..<400).map { _ in start + .seconds(Int.random(in: 0..<150, using: &random)) })
    var heap = DeadlineHeap()
    var model: [Waiter] = []
    var out = sleepers.waiters
    for _ in 0..<8000 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5 where !out.isEmpty:
        let waiter = out.remove(at: .random(in: 0..<out.count, using: &random))
        heap.insert(waiter)
        model.append(waiter)
      case 5..<8 where !model.isEmpty:
        let waiter = model.remove(at: .random(in: 0..<model.count, using: &random))
        heap.remove(waiter)
        out.append(waiter)
      default:
        let instant = start + .seconds(Int.random(in: 0..<200, using: &random))
        let earliest = model.compactMap(\.deadline).min()
        let popped = heap.popFirst(before: instant)
        guard let popped else {
          #expect(earliest.map { $0 > instant } ?? true)
          continue
        }
        #expect(popped.deadline == earliest)
        #expect(instant >= earliest ?? start)
        model.remove(at: try #require(model.firstIndex { $0 === popped }))
        out.append(popped)
      }
    }
    let rest = model.compactMap(\.deadline).sorted()
    var drained: [ContinuousClock.Instant] = []
    while let waiter = heap.popFirst(before: start + .days(1)) {
      drained.append(try #require(waiter.deadline))
    }
    #expect(drained == rest)
    #expect(heap.millisecondsToFirst() == -1)
    try await sleepers.wakeAll()
  }

  @Loop @Test func `removes twice, and what it never had, without harm`() async throws {
    let instant = ContinuousClock.now + .days(1000)
    let sleepers = await Sleepers([instant, instant + .seconds(1)])
    var heap = DeadlineHeap()
    heap.insert(sleepers.waiters[0])
    heap.remove(sleepers.waiters[1])
    heap.remove(sleepers.waiters[0])
    heap.remove(sleepers.waiters[0])
    #expect(heap.popFirst(before: instant + .days(1)) == nil)
    try await sleepers.wakeAll()
  }

  @Test(
    arguments: [
      (nil, -1 ... -1), (.seconds(-5), 0...0), (.zero, 0...0), (.nanoseconds(1), 0...1),
      (.seconds(40), 1...40_000),
      (.days(365), 86_400_000...86_400_000),
    ] as [(Duration?, ClosedRange<CInt>)])
  @Loop func `tells epoll_wait how long it may wait`(left: Duration?, milliseconds: ClosedRange<CInt>)
    async throws
  {
    var heap = DeadlineHeap()
    let now = ContinuousClock.now
    let sleepers = await Sleepers(left.map { [now + $0, now + $0 + .days(1)] } ?? [])
    for waiter in sleepers.waiters.reversed() { heap.insert(waiter) }
    #expect(milliseconds.contains(heap.millisecondsToFirst()))
    for waiter in sleepers.waiters { heap.remove(waiter) }
    try await sleepers.wakeAll()
  }

  @Loop @Test func `never tells epoll_wait to return before the deadline`() async throws {
    // A part of a millisecond that is left must not be rounded to none, or the loop would spin through it.
    for _ in 0..<50 {
      let sleepers = await Sleepers([.now + .milliseconds(2)])
      var heap = DeadlineHeap()
      heap.insert(sleepers.waiters[0])
      while heap.millisecondsToFirst() > 0 {}
      #expect(heap.popFirst(before: .now) != nil)
      heap.remove(sleepers.waiters[0])
      try await sleepers.wakeAll()
    }
  }
}
