import Foundation
import Glibc

@testable import EventLoop
@testable import System

/// The other end of a connection: a blocking descriptor, which threads of its own use as a client would.
final class Peer: Sendable {
  private let rawValue: CInt
  private let descriptor: Lock<Descriptor?>

  init(owning rawValue: CInt) {
    self.rawValue = rawValue
    descriptor = Lock(Descriptor(owning: rawValue))
  }

  func close() { descriptor.withLock { $0 = nil } }

  /// A socket of the loop and its peer.
  ///
  /// - Parameter sendBuffer: the kernel's buffer for what the loop sends (`SO_SNDBUF`), which it rounds up.
  @Loop static func connected(sendBuffer: CInt? = nil) throws -> (CInt, Peer) {
    var ends: [CInt] = [-1, -1]
    let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw lastError("socketpair") }
    try makeNonblocking(ends[0])
    if var sendBuffer {
      let size = socklen_t(MemoryLayout<CInt>.size)
      setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &sendBuffer, size)
    }
    return (ends[0], Peer(owning: ends[1]))
  }

  /// A connection to a listener, made with a blocking `connect`.
  static func connecting(to address: SocketAddress) throws -> Peer {
    let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    let peer = Peer(owning: Glibc.socket(address.family, type, 0))
    let raw = peer.rawValue
    guard address.withSockaddr({ Glibc.connect(raw, $0, $1) }) == 0 else {
      throw lastError("connect")
    }
    return peer
  }

  static func makeNonblocking(_ rawValue: CInt) throws {
    guard fcntl(rawValue, F_SETFL, fcntl(rawValue, F_GETFL) | O_NONBLOCK) == 0 else {
      throw lastError("fcntl")
    }
  }

  static func lastError(_ call: String) -> SystemError { SystemError(call: call, errno: Glibc.errno) }

  /// Reads to the end, each time at most the next of `sizes`, round and round.
  func drained(sizes: [Int]) async -> [UInt8] {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: sizes.max() ?? 1)
        var turn = 0
        while true {
          let count = recv(self.rawValue, &buffer, sizes[turn % sizes.count], 0)
          guard count > 0 else { break }
          all += buffer[..<count]
          turn += 1
        }
        continuation.resume(returning: all)
      }
    }
  }

  /// Reads at most `count` bytes, once, and answers how many came.
  ///
  /// - Throws: `EAGAIN` if there are none.
  func readOnce(_ count: Int) throws(SystemError) -> Int {
    var buffer = [UInt8](repeating: 0, count: count)
    let count = recv(rawValue, &buffer, count, CInt(MSG_DONTWAIT))
    guard count >= 0 else { throw Self.lastError("recv") }
    return count
  }

  /// Sends a little; it fits into the kernel's buffer.
  func write(_ bytes: [UInt8]) {
    precondition(send(rawValue, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count)
  }

  func finishSending() { shutdown(rawValue, CInt(SHUT_WR)) }

  /// Makes the close reset a TCP connection (`SO_LINGER` of zero).
  func resetOnClose() {
    descriptor.withLock { descriptor in
      guard let owned = descriptor.take() else { return }
      SystemCalls.resetOnClose(owned, true)
      descriptor = consume owned
    }
  }
}
