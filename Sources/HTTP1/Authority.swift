/// The syntax of a `Host` field's value and of a URI's authority without userinfo.
///
/// RFC 9110 §7.2: `Host = uri-host [ ":" port ]`; RFC 3986 §3.2.
enum Authority {
  /// The greatest port of TCP.
  private static let greatestPort = 65535

  /// Whether this names a host and, if there is a ":", a port in decimal digits.
  ///
  /// An empty host is refused (RFC 9110 §4.2.1: "A sender MUST NOT generate an http URI with an empty host
  /// identifier"), so is userinfo ("SHOULD […] treat its presence as an error", §4.2.4). An empty port is in
  /// the grammar.
  static func isWellFormed(_ bytes: Span<UInt8>) -> Bool {
    guard !bytes.isEmpty else { return false }
    var hostEnd: Int
    if bytes[0] == UInt8(ascii: "[") {
      hostEnd = 1
      while hostEnd < bytes.count, bytes[hostEnd] != UInt8(ascii: "]") { hostEnd += 1 }
      guard hostEnd < bytes.count, isIPv6Address(bytes.extracting(1..<hostEnd)) else { return false }
      hostEnd += 1
    } else {
      // Whatever reads as an IPv4address is a reg-name too.
      hostEnd = OctetSet.registeredName.endOfRun(in: bytes, from: 0, to: bytes.count)
      guard hostEnd > 0, hasWholeEscapes(bytes.extracting(0..<hostEnd)) else { return false }
    }
    if hostEnd == bytes.count { return true }
    guard bytes[hostEnd] == .colon else { return false }
    return isPort(bytes.extracting((hostEnd + 1)..<bytes.count))
  }

  /// The host of a well-formed authority, an IPv6 address with its brackets.
  static func host(of authority: String) -> String {
    let bytes = authority.utf8
    let end = bytes.lastIndex(of: .colon) ?? bytes.endIndex
    // A colon within brackets is the address's own.
    return bytes.last == UInt8(ascii: "]") ? authority : String(authority[..<end])
  }

  /// `port = *DIGIT`, and one that TCP has.
  private static func isPort(_ digits: Span<UInt8>) -> Bool {
    guard digits.count <= 5, OctetSet.digit.containsAll(of: digits) else { return false }
    var port = 0
    for index in digits.indices { port = port * 10 + Int(digits[index] - UInt8(ascii: "0")) }
    return port <= greatestPort
  }

  /// Whether each "%" begins an escape.
  private static func hasWholeEscapes(_ name: Span<UInt8>) -> Bool {
    for index in name.indices where name[index] == .percent {
      guard index + 2 < name.count, OctetSet.hexDigit.contains(name[index + 1]),
        OctetSet.hexDigit.contains(name[index + 2])
      else { return false }
    }
    return true
  }

  /// `IPv6address`: RFC 3986 §3.2.2. Zone identifiers and `IPvFuture` name nothing that reaches a server.
  private static func isIPv6Address(_ text: Span<UInt8>) -> Bool {
    var groupCount = 0
    var isElided = false
    var index = 0
    if text.count >= 2, text[0] == .colon, text[1] == .colon {
      isElided = true
      index = 2
    }
    while index < text.count {
      let start = index
      index = OctetSet.hexDigit.endOfRun(in: text, from: start, to: text.count)
      if index < text.count, text[index] == UInt8(ascii: ".") {
        // `ls32` may be an IPv4address, at the end only.
        guard isIPv4Address(text.extracting(start..<text.count)) else { return false }
        groupCount += 2
        break
      }
      guard 1...4 ~= index - start else { return false }
      groupCount += 1
      if index == text.count { break }
      guard text[index] == .colon else { return false }
      index += 1
      if index < text.count, text[index] == .colon {
        guard !isElided else { return false }
        isElided = true
        index += 1
      } else if index == text.count {
        return false
      }
    }
    return isElided ? groupCount <= 7 : groupCount == 8
  }

  /// `IPv4address`: four `dec-octet`, which have no leading zeros.
  private static func isIPv4Address(_ text: Span<UInt8>) -> Bool {
    var index = 0
    for part in 0..<4 {
      if part > 0 {
        guard index < text.count, text[index] == UInt8(ascii: ".") else { return false }
        index += 1
      }
      let start = index
      index = OctetSet.digit.endOfRun(in: text, from: start, to: text.count)
      guard 1...3 ~= index - start else { return false }
      guard index - start == 1 || text[start] != UInt8(ascii: "0") else { return false }
      var value = 0
      for digit in start..<index { value = value * 10 + Int(text[digit] - UInt8(ascii: "0")) }
      guard value <= 255 else { return false }
    }
    return index == text.count
  }
}
