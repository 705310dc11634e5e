import EventLoop
import HTTP1
import Service
import Testing

/// The hosts that a service without a token answers to.
struct AllowedHostsTests {
  private let hosts = AllowedHosts(["Backup.example", "[2001:db8::1]"])

  private func check(_ host: String, from peer: String = "127.0.0.1:5000") throws {
    var parser = RequestParser()
    let head = try #require(try parser.parse(Array("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8).span)).head
    try hosts.check(head, from: try #require(SocketAddress(peer)))
  }

  @Test(arguments: [
    "localhost", "LOCALHOST:8080", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:8080", "backup.example",
    "BACKUP.EXAMPLE:443", "[2001:DB8::1]:80",
  ])
  func `answers to this machine and to what is allowed`(_ host: String) {
    #expect(throws: Never.self) { try check(host) }
  }

  @Test(arguments: [
    "evil.example", "backup.example.evil", "x.backup.example", "localhost.evil", "127.0.0.1.evil",
    "192.0.2.1",
    "0.0.0.0", "[::]", "[2001:db8::2]", "localhost.",
    "2130706433",
  ])
  func `refuses any other name, from wherever it comes`(_ host: String) {
    for peer in ["127.0.0.1:5000", "192.0.2.1:5000", "[::1]:5000"] {
      let error = #expect(throws: HTTPError.self) { try check(host, from: peer) }
      #expect(error?.status == .misdirectedRequest)
    }
  }

  @Test func `a Unix socket is no browser's`() {
    #expect(throws: Never.self) { try check("evil.example", from: "unix:/a") }
  }

  @Test func `neither is HTTP 1.0 without a Host`() throws {
    var parser = RequestParser()
    let head = try #require(try parser.parse(Array("GET / HTTP/1.0\r\n\r\n".utf8).span)).head
    #expect(throws: Never.self) { try hosts.check(head, from: .ipv4([127, 0, 0, 1], port: 5000)) }
  }

  @Test(arguments: ["a", "backup.example.org", "192.0.2.1", "[::1]", "a_b-c~d"])
  func `a name has no port`(_ text: String) { #expect(AllowedHosts.isHost(text)) }

  @Test(arguments: ["", "a:80", "[::1]:80", "http://a", "a/b", "a b", "::1", "ä"])
  func `what else is none`(_ text: String) { #expect(!AllowedHosts.isHost(text)) }
}
