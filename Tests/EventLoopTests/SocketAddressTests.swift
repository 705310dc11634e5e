import Testing

@testable import EventLoop
@testable import System

struct SocketAddressTests {
  static let loopback6 = [UInt8](repeating: 0, count: 15) + [1]

  static let good: [(String, SocketAddress, isLocal: Bool, description: String?)] = [
    ("127.0.0.1:8080", .ipv4([127, 0, 0, 1], port: 8080), true, nil),
    ("127.255.0.9:1", .ipv4([127, 255, 0, 9], port: 1), true, nil),
    ("0.0.0.0:0", .ipv4([0, 0, 0, 0], port: 0), false, nil),
    ("128.0.0.1:65535", .ipv4([128, 0, 0, 1], port: 65535), false, nil),
    ("localhost:80", .ipv4([127, 0, 0, 1], port: 80), true, "127.0.0.1:80"),
    ("10.0.0.1:0080", .ipv4([10, 0, 0, 1], port: 80), false, "10.0.0.1:80"),
    ("[::1]:443", .ipv6(loopback6, port: 443), true, nil),
    ("[::]:443", .ipv6([UInt8](repeating: 0, count: 16), port: 443), false, nil),
    ("[::2]:443", .ipv6([UInt8](repeating: 0, count: 15) + [2], port: 443), false, nil),
    ("[0:0:0:0:0:0:0:1]:443", .ipv6(loopback6, port: 443), true, "[::1]:443"),
    (
      "[fe80::1:2]:9", .ipv6([0xfe, 0x80] + [UInt8](repeating: 0, count: 10) + [0, 1, 0, 2], port: 9), false,
      nil
    ),
    ("unix:/run/sluice.sock", .unix("/run/sluice.sock"), true, nil),
    ("unix:relative", .unix("relative"), true, nil),
    ("unix:[::1]:80", .unix("[::1]:80"), true, nil),
    (
      "unix:" + String(repeating: "p", count: SocketAddress.longestPath),
      .unix(String(repeating: "p", count: SocketAddress.longestPath)), true, nil
    ),
  ]

  @Test(arguments: good)
  func `reads and writes an address`(
    text: String, address: SocketAddress, isLocal: Bool, description: String?
  ) {
    #expect(SocketAddress(text) == address)
    #expect(address.description == description ?? text)
    #expect(SocketAddress(address.description) == address)
    #expect(address.isLocal == isLocal)
  }

  @Test(arguments: good)
  func `the kernel's form of an address is that address`(
    text: String, address: SocketAddress, isLocal: Bool, description: String?
  ) throws {
    let filled = try SocketAddress.filled { (storage, length) throws(SystemError) in
      address.withSockaddr { source, count in
        UnsafeMutableRawPointer(storage).copyMemory(from: source, byteCount: Int(count))
        length.pointee = count
        return CInt(7)
      }
    }
    #expect(filled?.0 == 7)
    #expect(filled?.1 == address)
  }

  @Test(arguments: [
    "", ":", ":80", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
    "127.0.0.1: 80", "127.0.0.1:80 ", " 127.0.0.1:80", "127.0.0.1:8o", "127.0.0.1:８０",
    "127.0.0.1:99999999999",
    "127.0.0:80", "127.0.0.1.1:80", "256.0.0.1:80", "127.1:80", "0x7f.0.0.1:80", "example.org:80",
    "LOCALHOST:80",
    "::1:80", "[::1]", "[::1]80", "[::1:80", "::1]:80", "[]:80", "[127.0.0.1]:80", "[localhost]:80",
    "[::g]:80",
    "[fe80::1%eth0]:80", "unix:", "unix", "UNIX:/run/x", "unix:/run/a\u{0}b",
    "unix:" + String(repeating: "p", count: SocketAddress.longestPath + 1),
    "unix:" + String(repeating: "é", count: 54),
  ])
  func `refuses what is not an address`(text: String) {
    #expect(SocketAddress(text) == nil)
  }
}
