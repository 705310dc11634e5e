import CLinux
import Glibc
package import System

/// A listening stream socket on the loop: bound by us, or passed by the service manager.
@Loop package final class Listener {
  /// Connections that the kernel holds for us until we accept them; it caps the number at `somaxconn`.
  private static let backlog: CInt = 4096
  /// How long accepting rests when no descriptor is free and none of ours is closed meanwhile.
  private static let exhaustedPause = Duration.milliseconds(100)

  private let descriptor: Descriptor
  private let registration: Registration
  private var path: BoundPath?
  /// The address it really has: with the port that the kernel chose when 0 was asked for.
  package let address: SocketAddress

  /// Binds an address and listens on it.
  ///
  /// A Unix socket's path that no process listens on any more is taken over; the new one gets mode 0660.
  /// - Throws: `EADDRINUSE` and whatever else `socket`, `bind` and `listen` say.
  package static func bind(_ address: SocketAddress) throws(SystemError) -> Listener {
    let descriptor = try SystemCalls.socket(address.family)
    var path: BoundPath? = nil
    switch address {
    case .unix(let name):
      try removeStale(address, name)
      let mask = umask(0o117)
      defer { umask(mask) }
      try SystemCalls.bind(descriptor, address)
      path = BoundPath(name)
    case .ipv4, .ipv6:
      // Otherwise a restart has to wait for old connections' TIME_WAIT.
      try SystemCalls.setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
      if case .ipv6 = address {
        try SystemCalls.setOption(descriptor, CInt(IPPROTO_IPV6), IPV6_V6ONLY, 1)
      }
      try SystemCalls.bind(descriptor, address)
    }
    try SystemCalls.listen(descriptor, backlog: backlog)
    let registration = try Registration(descriptor.rawValue)
    let bound = try SystemCalls.localAddress(descriptor.rawValue)
    return Listener(descriptor: descriptor, registration: registration, path: path, address: bound)
  }

  /// Takes over a socket that already listens.
  ///
  /// - Throws: `EPROTOTYPE` for anything but a stream socket, `EINVAL` for one that does not listen.
  package static func adopt(_ rawValue: CInt) throws(SystemError) -> Listener {
    let descriptor = Descriptor(owning: rawValue)
    guard try SystemCalls.option(rawValue, SOL_SOCKET, SO_TYPE) == CInt(SOCK_STREAM.rawValue) else {
      throw SystemError(call: "getsockopt", errno: EPROTOTYPE)
    }
    guard try SystemCalls.option(rawValue, SOL_SOCKET, SO_ACCEPTCONN) == 1 else {
      throw SystemError(call: "getsockopt", errno: EINVAL)
    }
    try SystemCalls.setNonblocking(descriptor)
    let registration = try Registration(rawValue)
    let address = try SystemCalls.localAddress(rawValue)
    return Listener(descriptor: descriptor, registration: registration, path: nil, address: address)
  }

  private init(
    descriptor: consuming Descriptor, registration: Registration, path: consuming BoundPath?,
    address: SocketAddress
  ) {
    self.descriptor = descriptor
    self.registration = registration
    self.path = path
    self.address = address
  }

  /// A handle by which others can end the accepting. The socket itself stays open and is never shut down:
  /// that would break the service manager's copy of it too.
  package var canceller: Socket.Canceller { Socket.Canceller(registration: registration) }

  /// Removes the path of a Unix socket that we made: no process will accept from it any more.
  package func removePath() { path = nil }

  /// Waits for a connection and answers its socket's number, to be owned at once, and its peer.
  ///
  /// The corresponding C function is `accept4`.
  /// - Parameters:
  ///   - descriptorFreed: announced when a connection closes, so that a process without a free descriptor neither spins
  ///     nor sleeps longer than it must.
  ///   - makeRoom: called when there is none.
  /// - Throws: `ECANCELED` once it was cancelled; `EINVAL` when another process has shut the socket down.
  package func accept(
    descriptorFreed: Condition, makeRoom: () -> Void = {}
  ) async throws(SystemError) -> (CInt, SocketAddress) {
    while true {
      guard !registration.isCancelled else { throw SystemError(call: "accept4", errno: ECANCELED) }
      do {
        if let connection = try SystemCalls.accept(descriptor.rawValue) { return connection }
      } catch {
        switch error.errno {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
          makeRoom()
          _ = await descriptorFreed.wait(until: .now + Self.exhaustedPause)
        case ECONNABORTED, EPROTO, ENOPROTOOPT, EOPNOTSUPP, EPERM, ENETDOWN, ENETUNREACH, ENONET, EHOSTDOWN,
          EHOSTUNREACH, ETIMEDOUT:
          // The connection's own failure, reported here; accept(2) says to treat it like EAGAIN.
          break
        default:
          // EINVAL among them: the socket listens no more, and to try again would be to spin.
          throw error
        }
        continue
      }
      try await registration.wait(.read, for: "accept4", until: nil)
    }
  }

  /// Removes the path of a Unix socket that refuses connections: its owner is gone.
  private static func removeStale(_ address: SocketAddress, _ path: String) throws(SystemError) {
    // `connect` refuses what is no socket with the same error; a file must not be taken for a stale socket.
    guard SystemCalls.isSocket(path) else { return }
    let probe = try SystemCalls.socket(AF_UNIX)
    do {
      try SystemCalls.connect(probe, address)
    } catch {
      if error.errno == ECONNREFUSED { SystemCalls.unlink(path) }
    }
  }

  /// The path of a Unix socket that we made, removed at the end.
  private struct BoundPath: ~Copyable {
    let path: String
    init(_ path: String) { self.path = path }
    deinit { SystemCalls.unlink(path) }
  }
}
