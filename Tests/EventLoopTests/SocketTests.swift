import Glibc
import TestSupport
import Testing

@testable import EventLoop
@testable import System

/// Receiving, and how operations end. `SocketSendTests` has the sending.
@Suite(.onTheLoop, .timeLimit(.minutes(15)))
struct SocketTests {
  @Loop @Test func `receives what was sent, then the end of the stream`() async throws {
    let (raw, peer) = try Peer.connected()
    let socket = try Socket(owning: raw, peer: .unix(""))
    let waiting = Loop.start {
      await RunningLoop.turns { RunningLoop.waits(ofDays: 101) == 1 }
      peer.write([1, 2, 3])
    }
    #expect(try await socket.take(until: .now + .days(101)) == [1, 2, 3])
    #expect(RunningLoop.waits(ofDays: 101) == 0, "a wait that is met leaves no deadline behind")
    try await waiting.value

    peer.write([4])
    peer.finishSending()
    #expect(try await socket.take(until: nil) == [4])
    #expect(try await socket.take(until: nil) == [])
    #expect(try await socket.take(until: nil) == [])
  }

  @Loop @Test func `receives no more than its size at once, and all of it in order`() async throws {
    let (raw, peer) = try Peer.connected()
    let socket = try Socket(owning: raw, peer: .unix(""))
    var random = SeededGenerator(seed: 4)
    let bytes = random.bytes(3 * Socket.receiveSize + 5)
    peer.write(bytes)
    peer.finishSending()
    var received: [UInt8] = []
    while case let part = try await socket.take(until: nil), !part.isEmpty {
      #expect(part.count <= Socket.receiveSize)
      received += part
    }
    #expect(received == bytes)
  }

  @Loop @Test func `a receive that passes its deadline throws ETIMEDOUT, and the socket is still good`()
    async throws
  {
    let (raw, peer) = try Peer.connected()
    let socket = try Socket(owning: raw, peer: .unix(""))
    for wait in [Duration.zero, .milliseconds(3)] {
      let error = await failure { () throws(SystemError) in _ = try await socket.take(until: .now + wait) }
      #expect(error == SystemError(call: "recv", errno: ETIMEDOUT))
      #expect(error?.isTimeout == true)
    }
    peer.write([9])
    #expect(try await socket.take(until: .now) == [9], "tried first, before the deadline is looked at")
  }

  @Loop @Test func `cancelling ends the operation under way and all that follow`() async throws {
    let (raw, peer) = try Peer.connected()
    let socket = try Socket(owning: raw, peer: .unix(""))
    let canceller = socket.canceller
    let cancelling = Loop.start {
      await RunningLoop.turns { RunningLoop.waits(ofDays: 103) == 1 }
      canceller.cancel()
    }
    let cancelled = SystemError(call: "recv", errno: ECANCELED)
    #expect(
      await failure { () throws(SystemError) in
        _ = try await socket.take(until: .now + .days(103))
      } == cancelled)
    try await cancelling.value
    #expect(RunningLoop.waits(ofDays: 103) == 0)
    #expect(
      await failure { () throws(SystemError) in _ = try await socket.take(until: nil) } == cancelled)
    #expect(
      await failure { () throws(SystemError) in
        try await socket.send([[1]], stallTimeout: .days(103))
      } == SystemError(call: "sendmsg", errno: ECANCELED))
    withExtendedLifetime(peer) {}
  }

  @Loop @Test func `a cancelled socket gives out nothing that arrived before`() async throws {
    let (raw, peer) = try Peer.connected()
    let socket = try Socket(owning: raw, peer: .unix(""))
    peer.write([1])
    socket.canceller.cancel()
    #expect(
      await failure { () throws(SystemError) in _ = try await socket.take(until: nil) }
        == SystemError(call: "recv", errno: ECANCELED))
  }

  @Loop @Test func `a peer that closes is lost, once`() async throws {
    let (raw, peer) = try Peer.connected()
    let socket = try Socket(owning: raw, peer: .unix(""))
    var lost = 0
    socket.onLost { lost += 1 }
    peer.write([1])
    #expect(try await socket.take(until: nil) == [1])
    #expect(lost == 0)
    peer.close()
    await RunningLoop.turns { lost > 0 }
    await Loop.sleep(for: .milliseconds(1))
    #expect(lost == 1)
    #expect(try await socket.take(until: nil) == [])
  }

  @Loop @Test func `a peer that only finished sending is not lost, and still gets what is sent`() async throws
  {
    let (raw, peer) = try Peer.connected()
    let socket = try Socket(owning: raw, peer: .unix(""))
    var lost = 0
    socket.onLost { lost += 1 }
    peer.finishSending()
    #expect(try await socket.take(until: nil) == [])
    try await socket.send([[5, 6]], stallTimeout: .days(105))
    socket.finishSending()
    #expect(await peer.drained(sizes: [1]) == [5, 6])
  }

  @Loop @Test func `a peer that half-closes raises no alarm while the loop turns on`() async throws {
    let (raw, peer) = try Peer.connected()
    let socket = try Socket(owning: raw, peer: .unix(""))
    var lost = 0
    socket.onLost { lost += 1 }
    peer.finishSending()
    #expect(try await socket.take(until: nil) == [], "the edge has come")
    for _ in 0..<10 { await Task.yield() }
    #expect(lost == 0)
    peer.close()
    await RunningLoop.turns { lost == 1 }
  }

  @Loop @Test func `a TCP connection that is reset is lost, and says so`() async throws {
    let listener = try Listener.bind(#require(SocketAddress("127.0.0.1:0")))
    let peer = try Peer.connecting(to: listener.address)
    let (raw, address) = try await listener.accept(descriptorFreed: Condition())
    let socket = try Socket(owning: raw, peer: address)
    var lost = 0
    socket.onLost { lost += 1 }
    peer.resetOnClose()
    peer.close()
    await RunningLoop.turns { lost == 1 }
    #expect(
      await failure { () throws(SystemError) in _ = try await socket.take(until: nil) }
        == SystemError(call: "recv", errno: ECONNRESET))
  }

  @Loop @Test func `what arrives on a Unix socket stays in its queue until it is consumed`() async throws {
    let (raw, peer) = try Peer.connected()
    let socket = try Socket(owning: raw, peer: .unix(""))
    let leavesUnread = socket.leavesUnread
    #expect(leavesUnread)
    peer.write([1, 2, 3])
    #expect(try await socket.receive(until: nil) == [1, 2, 3])
    #expect(try await socket.receive(until: nil) == [1, 2, 3])
    try socket.consume(2)
    #expect(try await socket.receive(until: nil) == [3])
    try socket.consume(1)
    peer.finishSending()
    #expect(try await socket.receive(until: nil) == [])
    try socket.consume(0)
  }

  @Test(arguments: [(unread: 1, ECONNRESET), (unread: 0, 0)])
  @Loop func `a Unix socket that is closed with bytes unread fails its peer`(
    unread: Int, error: CInt
  ) async throws {
    let (raw, peer) = try Peer.connected()
    do {
      let socket = try Socket(owning: raw, peer: .unix(""))
      peer.write([1, 2, 3])
      try await socket.consume(socket.receive(until: nil).count - unread)
      socket.resetOnClose(true)
    }
    // A child that another test is just starting has a copy of the descriptor until it runs its program.
    var failure: SystemError?
    await RunningLoop.turns {
      failure = immediateFailure { () throws(SystemError) in _ = try peer.readOnce(1) }
      return failure?.errno != EAGAIN
    }
    #expect(failure?.errno ?? 0 == error)
  }

  @Loop @Test func `what arrives on a TCP socket is out of its queue, and need not be consumed`() async throws
  {
    let listener = try Listener.bind(.ipv4([127, 0, 0, 1], port: 0))
    let peer = try Peer.connecting(to: listener.address)
    let (raw, address) = try await listener.accept(descriptorFreed: Condition())
    let socket = try Socket(owning: raw, peer: address)
    let leavesUnread = socket.leavesUnread
    #expect(!leavesUnread)
    peer.write([1, 2])
    #expect(try await socket.receive(until: nil) == [1, 2])
    peer.write([3])
    try socket.consume(2)
    #expect(try await socket.receive(until: nil) == [3])
  }

  @Loop @Test func `resetOnClose makes the close a failure to the peer`() async throws {
    let listener = try Listener.bind(#require(SocketAddress("127.0.0.1:0")))
    let client = try Peer.connecting(to: listener.address)
    let (raw, address) = try await listener.accept(descriptorFreed: Condition())
    try close(reset: Socket(owning: raw, peer: address))
    var error: SystemError?
    await RunningLoop.turns {
      error = immediateFailure { () throws(SystemError) in _ = try client.readOnce(1) }
      return error?.errno != EAGAIN
    }
    #expect(error == SystemError(call: "recv", errno: ECONNRESET))
  }

  private nonisolated func close(reset socket: consuming Socket) {
    socket.resetOnClose(true)
    _ = consume socket
  }
}
