import CLinux
import Glibc
import System

/// The address of a stream socket: an Internet address and port, or the path of a Unix socket.
package enum SocketAddress: Equatable, Hashable, Sendable {
  /// An IPv4 address (four bytes, in network order) and a port.
  case ipv4([UInt8], port: UInt16)
  /// An IPv6 address (sixteen bytes, in network order) and a port.
  case ipv6([UInt8], port: UInt16)
  /// A path in the file system; empty for a peer that never bound one.
  case unix(String)

  /// The longest path that fits: `sun_path` less its NUL; see unix(7).
  package static let longestPath = 107

  /// Reads `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`; HOST is an address or `localhost`.
  ///
  /// Names are not looked up: an address that is listened on should not depend on a resolver.
  package init?(_ text: String) {
    if text.utf8.starts(with: "unix:".utf8) {
      let path = String(decoding: text.utf8.dropFirst(5), as: UTF8.self)
      guard !path.isEmpty, path.utf8.count <= Self.longestPath, !path.utf8.contains(0) else { return nil }
      self = .unix(path)
      return
    }
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(digits) else { return nil }
    var host = String(text[..<colon])
    // The C function below would read it only so far.
    guard !host.utf8.contains(0) else { return nil }
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
      guard let bytes = Self.bytes(of: host, family: AF_INET6, count: 16) else { return nil }
      self = .ipv6(bytes, port: port)
    } else {
      if host == "localhost" { host = "127.0.0.1" }
      guard let bytes = Self.bytes(of: host, family: AF_INET, count: 4) else { return nil }
      self = .ipv4(bytes, port: port)
    }
  }

  /// Whether only this machine can reach it: 127.0.0.0/8, ::1 or a Unix socket.
  package var isLocal: Bool {
    switch self {
    case .ipv4(let bytes, _): bytes.first == 127
    case .ipv6(let bytes, _): bytes == [UInt8](repeating: 0, count: 15) + [1]
    case .unix: true
    }
  }

  var family: CInt {
    switch self {
    case .ipv4: AF_INET
    case .ipv6: AF_INET6
    case .unix: AF_UNIX
    }
  }

  // MARK: as the kernel has it

  /// The corresponding C function is `inet_pton`.
  private static func bytes(of host: String, family: CInt, count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    return unsafe inet_pton(family, host, &bytes) == 1 ? bytes : nil
  }

  func withSockaddr<T>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
    switch self {
    case .ipv4(let bytes, let port):
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      unsafe withUnsafeMutableBytes(of: &address.sin_addr) { unsafe $0.copyBytes(from: bytes) }
      return unsafe Self.pass(address, length: MemoryLayout<sockaddr_in>.size, body)
    case .ipv6(let bytes, let port):
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = port.bigEndian
      unsafe withUnsafeMutableBytes(of: &address.sin6_addr) { unsafe $0.copyBytes(from: bytes) }
      return unsafe Self.pass(address, length: MemoryLayout<sockaddr_in6>.size, body)
    case .unix(let path):
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      unsafe withUnsafeMutableBytes(of: &address.sun_path) {
        unsafe $0.copyBytes(from: Array(path.utf8.prefix(Self.longestPath)))
      }
      return unsafe Self.pass(address, length: MemoryLayout<sockaddr_un>.size, body)
    }
  }

  private static func pass<Address, T>(
    _ address: Address, length: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T
  ) -> T {
    unsafe withUnsafeBytes(of: address) { bytes in
      guard let base = bytes.baseAddress else { fatalError("an address has bytes") }
      return unsafe body(base.assumingMemoryBound(to: sockaddr.self), socklen_t(length))
    }
  }

  /// Lets `call` fill in a `sockaddr_storage` and reads the address out of it.
  static func filled(
    _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) throws(SystemError) -> CInt?
  ) throws(SystemError) -> (CInt, SocketAddress)? {
    var storage = sockaddr_storage()
    let capacity = MemoryLayout<sockaddr_storage>.size
    var length = socklen_t(capacity)
    let result = try unsafe withUnsafeMutableBytes(of: &storage) { (bytes) throws(SystemError) -> CInt? in
      guard let base = bytes.baseAddress else { fatalError("an address has bytes") }
      return try unsafe call(base.assumingMemoryBound(to: sockaddr.self), &length)
    }
    guard let result else { return nil }
    let bytes = unsafe withUnsafeBytes(of: storage) { unsafe Array($0.prefix(min(Int(length), capacity))) }
    return (result, SocketAddress(bytes: bytes, family: CInt(storage.ss_family)))
  }

  /// Takes a `sockaddr` apart: two bytes of family, then two of port and the address, or the path.
  private init(bytes: [UInt8], family: CInt) {
    let port = bytes.count >= 4 ? bytes.bigEndian(at: 2) as UInt16 : 0
    switch family {
    case AF_INET where bytes.count >= 8:
      self = .ipv4(Array(bytes[4..<8]), port: port)
    case AF_INET6 where bytes.count >= 24:
      self = .ipv6(Array(bytes[8..<24]), port: port)
    default:
      self = .unix(String(decoding: bytes.dropFirst(2).prefix { $0 != 0 }, as: UTF8.self))
    }
  }
}

extension SocketAddress: CustomStringConvertible {
  /// The form that `init(_:)` reads.
  package var description: String {
    switch self {
    case .ipv4(let bytes, let port): "\(bytes.map(String.init).joined(separator: ".")):\(port)"
    case .ipv6(let bytes, let port): "[\(Self.text(ipv6: bytes))]:\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }

  /// The corresponding C function is `inet_ntop`.
  private static func text(ipv6 bytes: [UInt8]) -> String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    unsafe inet_ntop(AF_INET6, bytes, &text, socklen_t(text.count))
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
