import Glibc
import Testing

@testable import EventLoop
@testable import System

@Suite(.onTheLoop, .timeLimit(.minutes(15)))
struct RegistrationTests {
  // `EPOLLIN` and the others, which Swift's Glibc module leaves out.
  static let input: UInt32 = 0x001
  static let output: UInt32 = 0x004
  static let failed: UInt32 = 0x008
  static let hungUp: UInt32 = 0x010
  static let halfClosed: UInt32 = 0x2000

  @Test(
    arguments: [
      (input, [true, false, false]), (output, [false, true, false]), (input | output, [true, true, false]),
      (halfClosed, [true, false, false]), (hungUp, [true, true, true]), (failed, [true, true, true]),
      (0, [false, false, false]),
    ] as [(UInt32, [Bool])])
  func `reads what an edge says`(events: UInt32, says: [Bool]) {
    let readiness = Readiness(events)
    #expect([readiness.isReadable, readiness.isWritable, readiness.isLost] == says)
  }

  @Loop @Test func `tells of a loss once`() throws {
    let descriptor = try SystemCalls.socket(AF_UNIX)
    let registration = try Registration(descriptor.rawValue)
    var lost = 0
    registration.onLost = { lost += 1 }
    registration.signal(Readiness(Self.input | Self.output | Self.halfClosed))
    #expect(lost == 0)
    registration.signal(Readiness(Self.hungUp))
    registration.signal(Readiness(Self.failed))
    #expect(lost == 1)
  }

  @Loop @Test func `a reader and a writer wait beside each other, each for its own edge`() async throws {
    let (raw, peer) = try Peer.connected()
    let descriptor = Descriptor(owning: raw)
    let registration = try Registration(descriptor.rawValue)
    var woken: [String] = []
    let reading = Loop.start {
      try await registration.wait(.read, for: "recv", until: .now + .days(401))
      woken.append("reader")
    }
    let writing = Loop.start {
      // The first edge is that of the registration itself.
      try await registration.wait(.write, for: "send", until: .now + .days(401))
      woken.append("writer")
    }
    try await writing.value
    #expect(woken == ["writer"])
    peer.write([1])
    try await reading.value
    #expect(woken == ["writer", "reader"])
  }
}
