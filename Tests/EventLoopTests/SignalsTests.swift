import Glibc
import Testing

@testable import EventLoop

/// Serial, since a signal that is pending is of no test in particular. Raised on the loop's thread: the others of
/// the test process were started before they could be blocked there.
@Suite(.onTheLoop, .serialized, .timeLimit(.minutes(5)))
struct SignalsTests {
  @Test(arguments: [SIGHUP, SIGTERM, SIGUSR1])
  @Loop func `a signal that is blocked is the next event`(number: CInt) async throws {
    Signals.block([number])
    let signals = try Signals([number])
    raise(number)
    #expect(try await signals.next() == number)
  }

  @Loop @Test func `waits for a signal`() async throws {
    Signals.block([SIGUSR1])
    let waiting = Loop.start { try await Signals([SIGUSR1]).next() }
    for _ in 0..<10 { await Task.yield() }
    raise(SIGUSR1)
    #expect(try await waiting.value == SIGUSR1)
  }

  @Loop @Test func `several signals come one by one, and others are left alone`() async throws {
    Signals.block([SIGUSR1, SIGUSR2, SIGHUP])
    let signals = try Signals([SIGUSR1, SIGUSR2])
    raise(SIGHUP)
    raise(SIGUSR2)
    raise(SIGUSR1)
    let received = [try await signals.next(), try await signals.next()]
    #expect(Set(received) == [SIGUSR1, SIGUSR2])
    #expect(try await Signals([SIGHUP]).next() == SIGHUP)
  }
}
