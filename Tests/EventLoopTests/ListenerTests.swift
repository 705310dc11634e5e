import Foundation
import Glibc
import TestSupport
import Testing

@testable import EventLoop
@testable import System

@Suite(.onTheLoop, .timeLimit(.minutes(15)))
struct ListenerTests {
  /// A folder of a test's own, short enough for a Unix socket's path, removed at the end.
  final class Folder {
    let path = "/tmp/sluice-\(UUID().uuidString.prefix(8))"
    init() throws {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  @Loop private func bindFailure(_ address: SocketAddress) -> SystemError? {
    immediateFailure { () throws(SystemError) in _ = try Listener.bind(address) }
  }

  @Loop private func adoptFailure(_ rawValue: CInt) -> SystemError? {
    immediateFailure { () throws(SystemError) in _ = try Listener.adopt(rawValue) }
  }

  @Test(arguments: ["127.0.0.1:0", "[::1]:0"])
  @Loop func `port 0 becomes a real port, on which connections are accepted`(text: String) async throws {
    let asked = try #require(SocketAddress(text))
    let listener = try Listener.bind(asked)
    #expect(listener.address != asked)
    #expect(listener.address.family == asked.family)
    let peer = try Peer.connecting(to: listener.address)
    let (raw, address) = try await listener.accept(descriptorFreed: Condition())
    #expect(address.family == asked.family && address.isLocal)
    let socket = try Socket(owning: raw, peer: address)
    try await socket.send([[1, 2]], stallTimeout: .seconds(60))
    socket.finishSending()
    #expect(await peer.drained(sizes: [10]) == [1, 2])
  }

  @Loop @Test func `accepts what comes later, each connection once`() async throws {
    let listener = try Listener.bind(.ipv4([127, 0, 0, 1], port: 0))
    let accepting = Loop.start {
      var numbers: [CInt] = []
      for _ in 0..<20 { numbers.append(try await listener.accept(descriptorFreed: Condition()).0) }
      return numbers
    }
    await Task.yield()
    var peers: [Peer] = []
    for count in [1, 4, 15] {
      for _ in 0..<count { peers.append(try Peer.connecting(to: listener.address)) }
      await Task.yield()
    }
    let numbers = try await accepting.value
    #expect(Set(numbers).count == 20)
    for number in numbers { SystemCalls.close(number) }
  }

  @Loop @Test func `an address in use is refused`() throws {
    let listener = try Listener.bind(.ipv4([127, 0, 0, 1], port: 0))
    #expect(bindFailure(listener.address) == SystemError(call: "bind", errno: EADDRINUSE))
  }

  @Loop @Test func `an IPv6 address does not take the IPv4 one with it`() throws {
    let listener = try Listener.bind(.ipv6([UInt8](repeating: 0, count: 16), port: 0))
    guard case .ipv6(_, let port) = listener.address else { throw SystemError(call: "", errno: EINVAL) }
    let other = try Listener.bind(.ipv4([127, 0, 0, 1], port: port))
    #expect(other.address == .ipv4([127, 0, 0, 1], port: port))
  }

  @Loop @Test func `a Unix socket is for its owner and group, and goes with its listener`() async throws {
    let folder = try Folder()
    let path = folder.path + "/s"
    do {
      let listener = try Listener.bind(.unix(path))
      #expect(listener.address == .unix(path))
      let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
      #expect(mode == 0o660)
      let peer = try Peer.connecting(to: .unix(path))
      let (raw, address) = try await listener.accept(descriptorFreed: Condition())
      #expect(address == .unix(""), "a peer that bound no path")
      let socket = try Socket(owning: raw, peer: address)
      peer.write([3])
      #expect(try await socket.take(until: nil) == [3])
    }
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Loop @Test func `a path without a listener is taken over, a live one is not`() async throws {
    let folder = try Folder()
    let path = folder.path + "/s"
    do {
      let stale = try SystemCalls.socket(AF_UNIX)
      try SystemCalls.bind(stale, .unix(path))
      try SystemCalls.listen(stale, backlog: 1)
    }
    #expect(FileManager.default.fileExists(atPath: path), "left behind, as by a crash")
    // A child that another test is just starting listens with a copy of the descriptor until it runs its program.
    await RunningLoop.turns { bindFailure(.unix(path)) == nil }
    let listener = try Listener.bind(.unix(path))
    #expect(bindFailure(.unix(path)) == SystemError(call: "bind", errno: EADDRINUSE))
    _ = try Peer.connecting(to: .unix(path))
    withExtendedLifetime(listener) {}
  }

  @Loop @Test func `a file that is no socket is never removed`() throws {
    let folder = try Folder()
    let path = folder.path + "/data.db"
    try Data("precious".utf8).write(to: URL(filePath: path))
    #expect(bindFailure(.unix(path)) == SystemError(call: "bind", errno: EADDRINUSE))
    #expect((try? String(contentsOfFile: path, encoding: .utf8)) == "precious")
  }

  @Loop @Test func `adopts a socket that listens, and leaves its path to its maker`() async throws {
    let folder = try Folder()
    let path = folder.path + "/s"
    do {
      let raw = Glibc.socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
      _ = SocketAddress.unix(path).withSockaddr { Glibc.bind(raw, $0, $1) }
      Glibc.listen(raw, 5)
      let listener = try Listener.adopt(raw)
      #expect(listener.address == .unix(path))
      #expect(fcntl(raw, F_GETFL) & O_NONBLOCK != 0)
      #expect(fcntl(raw, F_GETFD) & FD_CLOEXEC != 0)
      let peer = try Peer.connecting(to: .unix(path))
      let (accepted, _) = try await listener.accept(descriptorFreed: Condition())
      SystemCalls.close(accepted)
      withExtendedLifetime(peer) {}
    }
    #expect(FileManager.default.fileExists(atPath: path))
  }

  @Loop @Test func `adopts nothing but a stream socket that listens`() {
    let raw = { (type: __socket_type) in Glibc.socket(AF_UNIX, CInt(type.rawValue), 0) }
    #expect(adoptFailure(raw(SOCK_DGRAM)) == SystemError(call: "getsockopt", errno: EPROTOTYPE))
    #expect(adoptFailure(raw(SOCK_SEQPACKET)) == SystemError(call: "getsockopt", errno: EPROTOTYPE))
    #expect(adoptFailure(raw(SOCK_STREAM)) == SystemError(call: "getsockopt", errno: EINVAL))
    #expect(
      adoptFailure(open("/dev/null", O_RDONLY)) == SystemError(call: "getsockopt", errno: ENOTSOCK))
  }

  @Loop @Test func `cancelling ends the accepting, now and later, and not the socket`() async throws {
    let listener = try Listener.bind(.ipv4([127, 0, 0, 1], port: 0))
    var isAccepting = false
    let accepting = Loop.start {
      isAccepting = true
      return await failure { () throws(SystemError) in
        _ = try await listener.accept(descriptorFreed: Condition())
      }
    }
    await RunningLoop.turns { isAccepting }
    listener.canceller.cancel()
    let cancelled = SystemError(call: "accept4", errno: ECANCELED)
    #expect(try await accepting.value == cancelled)
    _ = try Peer.connecting(to: listener.address)
    #expect(
      await failure { () throws(SystemError) in
        _ = try await listener.accept(descriptorFreed: Condition())
      } == cancelled)
  }

  @Loop @Test func `a socket that listens no more is an end, not a connection's failure`() async {
    // `shutdown` of any copy of the socket does it: accept4 says EINVAL from then on.
    await #expect(processExitsWith: .success) {
      alarm(120)
      RunningLoop.start()
      try await acceptFromShutDownSocket()
    }
  }

  @Loop @Test func `without a free descriptor it waits for one, and no connection is lost`() async {
    // In a process of its own, since there is one table of descriptors for all tests.
    await #expect(processExitsWith: .success) {
      alarm(120)
      RunningLoop.start()
      // On the loop as its executor, too: Swift's own pool cannot do without a descriptor.
      try await Loop.start { try await acceptWithoutDescriptors() }.value
    }
  }
}

@Loop private func acceptFromShutDownSocket() async throws {
  let raw = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
  Glibc.listen(raw, 5)
  let listener = try Listener.adopt(raw)
  shutdown(raw, CInt(SHUT_RDWR))
  #expect(
    await failure { () throws(SystemError) in
      _ = try await listener.accept(descriptorFreed: Condition())
    } == SystemError(call: "accept4", errno: EINVAL))
}

@Loop private func acceptWithoutDescriptors() async throws {
  let listener = try Listener.bind(.ipv4([127, 0, 0, 1], port: 0))
  let peer = try Peer.connecting(to: listener.address)
  var taken: [CInt] = []
  setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), [rlimit(rlim_cur: 256, rlim_max: 256)])
  while case let copy = dup(0), copy >= 0 { taken.append(copy) }
  try #require(errno == EMFILE && !taken.isEmpty)

  let descriptorFreed = Condition()
  var accepted: CInt?
  let accepting = Loop.start { accepted = try await listener.accept(descriptorFreed: descriptorFreed).0 }
  // A loop that spins in `accept` would never come to this, nor to the deadlines.
  await Loop.sleep(for: .milliseconds(250))
  #expect(accepted == nil)
  for number in taken { SystemCalls.close(number) }
  descriptorFreed.notify()
  try await accepting.value
  let socket = try Socket(owning: #require(accepted), peer: .ipv4([127, 0, 0, 1], port: 1))
  peer.write([8])
  #expect(try await socket.take(until: nil) == [8])
}
