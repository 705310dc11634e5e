import Glibc
import TestSupport
import Testing

@testable import EventLoop
@testable import System

@Suite(.onTheLoop, .timeLimit(.minutes(15)))
struct SocketSendTests {
  @Test(arguments: [nil, 1] as [CInt?])
  @Loop func `a send waits for a reader that does not read, and loses nothing`(sendBuffer: CInt?) async throws
  {
    var random = SeededGenerator(seed: 11)
    let bytes = random.bytes(1 << 20)
    let (raw, peer) = try Peer.connected(sendBuffer: sendBuffer)
    let days = sendBuffer == nil ? 201 : 203
    var isFinished = false
    let sending = Loop.start {
      let socket = try Socket(owning: raw, peer: .unix(""))
      try await socket.send([bytes], stallTimeout: .days(days))
      isFinished = true
      socket.finishSending()
    }
    await RunningLoop.turns { RunningLoop.waits(ofDays: days) == 1 }
    for _ in 0..<10 { await Task.yield() }
    #expect(!isFinished, "the kernel has not taken all")
    #expect(await peer.drained(sizes: [1, 3, 977, 4096, 65_537]) == bytes)
    try await sending.value
    #expect(RunningLoop.waits(ofDays: days) == 0)
  }

  @Loop @Test func `a send that returned needs nothing more of the socket`() async throws {
    var random = SeededGenerator(seed: 12)
    let bytes = random.bytes(600_000)
    let (raw, peer) = try Peer.connected(sendBuffer: 1)
    let reading = Task { await peer.drained(sizes: [10_007]) }
    do {
      let socket = try Socket(owning: raw, peer: .unix(""))
      try await socket.send([bytes], stallTimeout: .days(205))
    }
    #expect(await reading.value == bytes, "closed at once, and all was with the kernel")
  }

  /// Both are needed to stop a send at every place of every part.
  @Test(arguments: [1, 2, 5, 9])
  @Loop func `sends what follows any offset of up to three parts`(length: Int) throws {
    for parts in Self.parts(length) {
      let all = parts.flatMap { $0 }
      for offset in 0..<max(1, all.count) {
        var ends: [CInt] = [-1, -1]
        socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends)
        let left = Descriptor(owning: ends[0])
        let right = Descriptor(owning: ends[1])
        #expect(try SystemCalls.send(left.rawValue, parts, from: offset) == all.count - offset)
        var received = [UInt8](repeating: 0, count: all.count + 1)
        if all.count > offset {
          #expect(
            try SystemCalls.receive(right.rawValue, into: &received, leaving: false) == all.count - offset)
        }
        #expect(Array(received[..<(all.count - offset)]) == Array(all[offset...]))
      }
    }
  }

  private static func parts(_ length: Int) -> [[[UInt8]]] {
    let part = { (first: UInt8, count: Int) in (0..<count).map { first + UInt8($0) } }
    return [
      [part(0, length)], [part(0, length), part(50, 1)], [[], part(0, length), []],
      [part(0, 3), part(50, length), part(100, 2)], [part(0, length), [], part(100, length)],
      [[], [], part(0, 1)],
    ]
  }

  @Test(arguments: 0..<24)
  @Loop func `a message in three parts goes through a tiny buffer whole`(shift: Int) async throws {
    // Each shift moves the places at which the kernel's buffer is full by some bytes.
    var random = SeededGenerator(seed: 13)
    let parts = [random.bytes(1 + shift), random.bytes(9000 + shift * 7), random.bytes(2 + shift * 31)]
    let (raw, peer) = try Peer.connected(sendBuffer: 1)
    let sending = Loop.start {
      let socket = try Socket(owning: raw, peer: .unix(""))
      for _ in 0..<3 { try await socket.send(parts, stallTimeout: .days(207)) }
    }
    let all = parts.flatMap { $0 }
    #expect(await peer.drained(sizes: [1 + shift, 131, 4099]) == all + all + all)
    try await sending.value
  }

  @Loop @Test func `nothing to send is sent at once, even to a peer that is gone`() async throws {
    let (raw, peer) = try Peer.connected()
    let socket = try Socket(owning: raw, peer: .unix(""))
    peer.close()
    try await socket.send([], stallTimeout: .zero)
    try await socket.send([[], [], []], stallTimeout: .zero)
  }

  @Loop @Test func `a peer that takes nothing for the stall timeout ends the send`() async throws {
    let (raw, peer) = try Peer.connected()
    let socket = try Socket(owning: raw, peer: .unix(""))
    let error = await failure { () throws(SystemError) in
      try await socket.send([[UInt8](repeating: 7, count: 8 << 20)], stallTimeout: .milliseconds(5))
    }
    #expect(error == SystemError(call: "sendmsg", errno: ETIMEDOUT))
    withExtendedLifetime(peer) {}
  }

  @Loop @Test func `each time the peer takes a little, the stall timeout starts again`() async throws {
    let (raw, peer) = try Peer.connected(sendBuffer: 1)
    let bytes = [UInt8](repeating: 7, count: 100_000)
    let sending = Loop.start {
      let socket = try Socket(owning: raw, peer: .unix(""))
      try await socket.send([bytes], stallTimeout: .days(209))
    }
    var received = 0
    var deadlines: Set<ContinuousClock.Instant> = []
    while received < bytes.count {
      if let count = try? peer.readOnce(5003) { received += count }
      await Task.yield()
      deadlines.formUnion(RunningLoop.deadlines(ofDays: 209))
    }
    try await sending.value
    #expect(deadlines.count > 3)
  }

  @Loop @Test func `misses no edge in a task that the loop did not start`() async throws {
    // Such a task may be queued between its `EAGAIN` and its wait: what the kernel says then must be kept.
    let (raw, peer) = try Peer.connected(sendBuffer: 1)
    let bytes = [UInt8](repeating: 7, count: 60_000)
    let socket = try Socket(owning: raw, peer: .unix(""))
    let canceller = socket.canceller
    let sending = Task { @Loop [socket = consume socket] in
      try await socket.send([bytes], stallTimeout: .days(215))
    }
    var received = 0
    var idleTurns = 0
    while received < bytes.count, idleTurns < 20_000 {
      let count = (try? peer.readOnce(5003)) ?? 0
      received += count
      idleTurns = count > 0 ? 0 : idleTurns + 1
      await Task.yield()
    }
    #expect(received == bytes.count)
    canceller.cancel()
    _ = await sending.result
  }

  @Loop @Test func `cancelling ends a send that is under way`() async throws {
    let (raw, peer) = try Peer.connected()
    let socket = try Socket(owning: raw, peer: .unix(""))
    let canceller = socket.canceller
    let cancelling = Loop.start {
      await RunningLoop.turns { RunningLoop.waits(ofDays: 211) == 1 }
      canceller.cancel()
    }
    let error = await failure { () throws(SystemError) in
      try await socket.send([[UInt8](repeating: 7, count: 8 << 20)], stallTimeout: .days(211))
    }
    #expect(error == SystemError(call: "sendmsg", errno: ECANCELED))
    try await cancelling.value
    withExtendedLifetime(peer) {}
  }

  @Loop @Test func `a peer that closes while it is sent to ends the send`() async throws {
    let (raw, peer) = try Peer.connected()
    let reading = Loop.start {
      await RunningLoop.turns { RunningLoop.waits(ofDays: 213) == 1 }
      peer.close()
    }
    let socket = try Socket(owning: raw, peer: .unix(""))
    let error = await failure { () throws(SystemError) in
      try await socket.send([[UInt8](repeating: 7, count: 8 << 20)], stallTimeout: .days(213))
    }
    #expect([EPIPE, ECONNRESET].contains(error?.errno))
    try await reading.value
  }

  @Loop @Test func `a peer that is gone is EPIPE, never the signal SIGPIPE`() async {
    await #expect(processExitsWith: .success) {
      signal(SIGPIPE, SIG_DFL)
      RunningLoop.start()
      try await sendToClosedPeer()
    }
  }
}

@Loop private func sendToClosedPeer() async throws {
  let (raw, peer) = try Peer.connected()
  let socket = try Socket(owning: raw, peer: .unix(""))
  peer.close()
  let error = await failure { () throws(SystemError) in
    try await socket.send([[1]], stallTimeout: .seconds(1))
  }
  #expect(error == SystemError(call: "sendmsg", errno: EPIPE))
}
