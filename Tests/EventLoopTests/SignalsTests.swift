import Glibc
import Testing

@testable import EventLoop
@testable import System

/// Serial, since a signal that is pending is of no test in particular. Raised on the loop's thread: the others of
/// the test process were started before they could be blocked there.
@Suite(.onTheLoop, .serialized, .timeLimit(.minutes(15)))
struct SignalsTests {
  @Test(arguments: [SIGHUP, SIGTERM, SIGUSR1])
  @Loop func `a signal that is blocked is the next event`(number: CInt) async throws {
    Self.unblock([SIGHUP, SIGTERM, SIGUSR1, SIGUSR2])
    Signals.block([number])
    let signals = try Signals([number])
    raise(number)
    #expect(try await signals.next() == number)
  }

  @Loop @Test func `waits for a signal`() async throws {
    Self.unblock([SIGHUP, SIGTERM, SIGUSR1, SIGUSR2])
    Signals.block([SIGUSR1])
    let waiting = Loop.start { try await Signals([SIGUSR1]).next() }
    for _ in 0..<10 { await Task.yield() }
    raise(SIGUSR1)
    #expect(try await waiting.value == SIGUSR1)
  }

  @Loop @Test func `several signals come one by one, and others are left alone`() async throws {
    Self.unblock([SIGHUP, SIGTERM, SIGUSR1, SIGUSR2])
    Signals.block([SIGUSR1, SIGUSR2, SIGHUP])
    let signals = try Signals([SIGUSR1, SIGUSR2])
    raise(SIGHUP)
    raise(SIGUSR2)
    raise(SIGUSR1)
    let received = [try await signals.next(), try await signals.next()]
    #expect(Set(received) == [SIGUSR1, SIGUSR2])
    #expect(try await Signals([SIGHUP]).next() == SIGHUP)
  }

  /// A thread of Swift's has them blocked already, and so has the loop's, which one has started.
  @Loop private static func unblock(_ signals: [CInt]) {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }
}
