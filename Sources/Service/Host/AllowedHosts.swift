package import EventLoop
package import HTTP1

/// The hosts that a service without a token answers to over TCP: this machine's loopback, and those that the administrator
/// gave.
///
/// A web page reaches loopback through the browser that shows it. Once its own name leads there (DNS rebinding), it may
/// read the answers as if they were its own. But then its name is in `Host`.
package struct AllowedHosts {
  private let names: Set<String>

  /// - Parameter names: without a port; capitals and small letters are alike.
  package init(_ names: [String]) { self.names = Set(names.map { $0.lowercased() }) }

  /// Whether a text can be one of them: a name, an IPv4 address, or an IPv6 address in brackets.
  package static func isHost(_ text: String) -> Bool {
    if text.utf8.first == UInt8(ascii: "[") { return SocketAddress("\(text):0") != nil }
    return !text.isEmpty && text.hasOnlyAlphanumerics(and: "-._~")
  }

  /// Refuses a request for another host. A client of HTTP/1.0 that names none is no browser.
  ///
  /// - Throws: 421: RFC 9110 §15.5.20.
  package func check(_ request: RequestHead, from peer: SocketAddress) throws(HTTPError) {
    if case .unix = peer { return }
    guard let host = request.host?.lowercased() else { return }
    guard isLoopback(host) || names.contains(host) else {
      throw HTTPError(
        .misdirectedRequest,
        "Without a token, this service answers over TCP only if the Host is localhost, in 127.0.0.0/8, [::1], or one "
          + "that its administrator has allowed.")
    }
  }

  private func isLoopback(_ host: String) -> Bool {
    switch SocketAddress("\(host):0") {
    case .unix, nil: false
    case .some(let address): address.isLocal
    }
  }
}

extension String {
  /// Whether it has only letters and digits of ASCII, and these others.
  func hasOnlyAlphanumerics(and others: String) -> Bool {
    utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: others.utf8.contains(byte)
      }
    }
  }
}
