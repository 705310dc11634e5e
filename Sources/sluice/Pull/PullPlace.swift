import Glibc
import System

/// One of the places for pulls that may run at once on this machine: the name of an abstract Unix socket, which one process
/// can have. Pulls of several users share no directory, and the kernel takes the name back when its process ends, however
/// it ends: unix(7).
struct PullPlace: ~Copyable {
  private let socket: Descriptor

  private static let pause: UInt32 = 500_000
  /// A backup that is late is better than none: after so long, a pull starts all the same.
  private static let longestWait = Duration.seconds(6 * 3600)

  /// Waits until one of `count` places is free.
  ///
  /// - Returns: nil if none was for six hours.
  /// - Throws: `PullInterruption`; `SystemError` if there can be no socket.
  static func take(of count: Int, isInterrupted: () -> Bool) throws -> PullPlace? {
    let end = ContinuousClock.now + longestWait
    repeat {
      for number in 1...count {
        if let socket = try bound(to: number) { return PullPlace(socket: socket) }
      }
      if isInterrupted() { throw PullInterruption() }
      usleep(pause)
    } while ContinuousClock.now < end
    return nil
  }

  /// - Returns: nil if another process has it.
  private static func bound(to number: Int) throws(SystemError) -> Descriptor? {
    let made = Glibc.socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard made >= 0 else { throw SystemError(call: "socket", errno: errno) }
    let socket = Descriptor(owning: made)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // The first byte is 0: an abstract name.
    let name = [0] + Array("sluice-pull/\(number)".utf8)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
    let length = (MemoryLayout.offset(of: \sockaddr_un.sun_path) ?? 2) + name.count
    let result = unsafe withUnsafePointer(to: address) {
      unsafe UnsafeRawPointer($0).withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(made, $0, socklen_t(length))
      }
    }
    if result == 0 { return socket }
    guard errno == EADDRINUSE else { throw SystemError(call: "bind", errno: errno) }
    return nil
  }
}
