import Glibc

/// The socket of a service manager: what it is sent can be read. The process has it in `NOTIFY_SOCKET`, so that it is for
/// a process of a test's own.
struct Manager {
  private let descriptor: CInt

  init() {
    descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue), 0)
    // unix(7): an abstract name begins with NUL, for which NOTIFY_SOCKET has @.
    let name = "sluice-test-\(getpid())"
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: [0] + name.utf8) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.utf8.count)
    let status = withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    precondition(status == 0, "bind: \(errno)")
    setenv("NOTIFY_SOCKET", "@\(name)", 1)
  }

  /// The next message; nil if there is none. A message is there as soon as it was sent.
  func received() -> String? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = recv(descriptor, &bytes, bytes.count, CInt(MSG_DONTWAIT))
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
  }
}
