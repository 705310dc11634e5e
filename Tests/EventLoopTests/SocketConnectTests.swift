import Glibc
import Testing

@testable import EventLoop
@testable import System

@Suite(.onTheLoop, .timeLimit(.minutes(15)))
struct SocketConnectTests {
  @Test(arguments: ["127.0.0.1:0", "[::1]:0", "unix:/tmp/sluice-connect-\(getpid()).sock"])
  @Loop func `connects to a listener, and talks both ways`(text: String) async throws {
    let listener = try Listener.bind(#require(SocketAddress(text)))
    let client = try await Socket.connect(to: listener.address, until: .now + .days(301))
    let (raw, peer) = try await listener.accept(descriptorFreed: Condition())
    let server = try Socket(owning: raw, peer: peer)
    try await client.send([[1, 2]], stallTimeout: .days(303))
    #expect(try await server.take(until: nil) == [1, 2])
    try await server.send([[3]], stallTimeout: .days(303))
    server.finishSending()
    #expect(try await client.take(until: nil) == [3])
    #expect(try await client.take(until: nil) == [])
  }

  @Loop @Test func `says that there is no listener`() async throws {
    // Its port is free again once it is gone.
    let address = try Listener.bind(.ipv4([127, 0, 0, 1], port: 0)).address
    for (address, number) in [(address, ECONNREFUSED), (.unix("/tmp/sluice-nobody.sock"), ENOENT)] {
      // A child that another test is just starting listens with a copy of the descriptor until it runs its program.
      var error: SystemError?
      while error == nil {
        error = await failure { () throws(SystemError) in
          _ = try await Socket.connect(to: address, until: .now + .days(305))
        }
      }
      #expect(error == SystemError(call: "connect", errno: number))
    }
  }
}
