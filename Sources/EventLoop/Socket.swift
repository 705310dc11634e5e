import CLinux
import Glibc
package import System

/// A connected stream socket on the loop.
///
/// Every operation tries its system call first and suspends only when the kernel says `EAGAIN`.
package struct Socket: ~Copyable {
  /// The most bytes that one `receive` takes in.
  package static let receiveSize = 16 * 1024

  /// The kernel takes more of what is to be sent while it holds fewer bytes than this that a TCP connection has no
  /// room for: what it holds beyond that makes nothing faster. tcp(7), `TCP_NOTSENT_LOWAT`.
  private static let unsentSize: CInt = 256 * 1024

  private let descriptor: Descriptor
  private let registration: Registration
  /// The other side, as the kernel told it when the connection was accepted.
  package let peer: SocketAddress

  /// Takes over a non-blocking socket and registers it with the loop.
  @Loop package init(owning rawValue: CInt, peer: SocketAddress) throws(SystemError) {
    let descriptor = Descriptor(owning: rawValue)
    if peer.family != AF_UNIX {
      // Each chunk is sent whole, with its framing: there is nothing that Nagle could join.
      try SystemCalls.setOption(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, 1)
      try SystemCalls.setOption(descriptor, CInt(IPPROTO_TCP), TCP_NOTSENT_LOWAT, Self.unsentSize)
    }
    registration = try Registration(rawValue)
    self.descriptor = descriptor
    self.peer = peer
  }

  /// Connects to an address.
  ///
  /// The corresponding C function is `connect`.
  /// - Throws: `ECONNREFUSED`, `ENOENT`, `ETIMEDOUT` and whatever else it says.
  @Loop package static func connect(
    to address: SocketAddress, until deadline: ContinuousClock.Instant
  ) async throws(SystemError) -> Socket {
    let socket = try Socket(owning: SystemCalls.socket(address.family).release(), peer: address)
    while true {
      do {
        try SystemCalls.connect(socket.descriptor, address)
        return socket
      } catch {
        // Asked again, the kernel answers with how it ended.
        if error.errno == EISCONN { return socket }
        guard error.errno == EINPROGRESS || error.errno == EALREADY else { throw error }
      }
      try await socket.registration.wait(.write, for: "connect", until: deadline)
    }
  }

  /// Calls `body` once when the peer is gone for good (`EPOLLHUP`, `EPOLLERR`): not when it has only finished
  /// sending.
  @Loop package func onLost(_ body: @escaping @Loop () -> Void) {
    registration.onLost = body
  }

  /// A handle by which others can end every operation on this socket.
  @Loop package var canceller: Canceller { Canceller(registration: registration) }

  /// Ends the operations of one socket with `ECANCELED`, those under way and all that follow.
  @Loop package struct Canceller {
    let registration: Registration

    /// Ends them.
    package func cancel() { registration.cancel() }

    /// Whether they have been ended.
    package var isCancelled: Bool { registration.isCancelled }
  }

  /// What has arrived, at most `receiveSize` bytes of it; nothing at the peer's end of stream. On a Unix socket
  /// it stays in the kernel's queue until `consume`.
  ///
  /// The corresponding C function is `recv`.
  /// - Throws: `ETIMEDOUT`, `ECANCELED`, `ECONNRESET`.
  @Loop package func receive(until deadline: ContinuousClock.Instant?) async throws(SystemError) -> [UInt8] {
    while true {
      guard !registration.isCancelled else { throw SystemError(call: "recv", errno: ECANCELED) }
      let bytes = try Reactor.shared.scratch.receive(descriptor.rawValue, leaving: leavesUnread)
      if let bytes { return bytes }
      try await registration.wait(.read, for: "recv", until: deadline)
    }
  }

  /// Takes bytes that `receive` returned out of a Unix socket's queue; a TCP socket's are out already.
  ///
  /// A Unix socket has no reset. But one that is closed with bytes unread fails its peer with `ECONNRESET`
  /// (unix(7)), so a server that may have to break an answer off leaves one until the answer is whole.
  @Loop package func consume(_ count: Int) throws(SystemError) {
    guard leavesUnread, count > 0 else { return }
    var discarded = [UInt8](repeating: 0, count: count)
    _ = try SystemCalls.receive(descriptor.rawValue, into: &discarded, leaving: false)
  }

  /// Whether `resetOnClose` needs bytes left unread.
  package var leavesUnread: Bool { peer.family == AF_UNIX }

  /// Sends all of `parts` (at most 64), one after the other; returns when the kernel has taken the last byte.
  ///
  /// The corresponding C function is `sendmsg`.
  /// - Parameter stallTimeout: how long the peer may take nothing at all.
  /// - Throws: `ETIMEDOUT`, `ECANCELED`, `ECONNRESET`, `EPIPE`.
  @Loop package func send(_ parts: [[UInt8]], stallTimeout: Duration) async throws(SystemError) {
    let total = parts.reduce(0) { $0 + $1.count }
    var sent = 0
    while sent < total {
      guard !registration.isCancelled else { throw SystemError(call: "sendmsg", errno: ECANCELED) }
      if let count = try SystemCalls.send(descriptor.rawValue, parts, from: sent) {
        sent += count
      } else {
        try await waitForRoom(stallTimeout)
      }
    }
  }

  /// The kernel tells of room only when there is much of it: a peer that takes a little all the time is not stalled.
  @Loop private func waitForRoom(_ stallTimeout: Duration) async throws(SystemError) {
    var queued = unacknowledged
    while true {
      do throws(SystemError) {
        return try await registration.wait(.write, for: "sendmsg", until: .now + stallTimeout)
      } catch {
        let left = unacknowledged
        guard error.isTimeout, left < queued else { throw error }
        queued = left
      }
    }
  }

  /// How many bytes that were sent the peer has not confirmed: over TCP those that its kernel has not, over a Unix
  /// socket, counted generously, those that the peer has not received.
  ///
  /// The corresponding C function is `ioctl` with `SIOCOUTQ`.
  @Loop package var unacknowledged: Int { Int(clinux_unacknowledged(descriptor.rawValue)) }

  /// Tells the peer that nothing more will be sent. The corresponding C function is `shutdown`.
  @Loop package func finishSending() {
    SystemCalls.shutdownWrite(descriptor.rawValue)
  }

  /// Sets whether a close looks like a failure to the peer, and not like an end, be it this process's death that closes: a
  /// TCP connection is reset then. For a Unix socket see `consume`.
  package func resetOnClose(_ isReset: Bool) {
    SystemCalls.resetOnClose(descriptor, isReset)
  }
}

/// The loop's own buffer, into which every socket receives.
@Loop struct ReceiveScratch {
  private var bytes = [UInt8](repeating: 0, count: Socket.receiveSize)

  mutating func receive(_ descriptor: CInt, leaving: Bool) throws(SystemError) -> [UInt8]? {
    try SystemCalls.receive(descriptor, into: &bytes, leaving: leaving).map { Array(bytes[..<$0]) }
  }
}
