/// A protocol version that this server speaks.
///
/// RFC 9112 §2.3.
package enum HTTPVersion: String, Sendable, Hashable {
  /// No `Host` needed, and the connection ends with the response unless both sides say otherwise.
  case http10 = "HTTP/1.0"
  /// Persistent connections, chunked coding, a `Host` in every request.
  case http11 = "HTTP/1.1"

  /// How many octets an `HTTP-version` has.
  static let byteCount = 8

  /// Whether `octet` may stand at `index` of `HTTP-name "/" DIGIT "." DIGIT`. The name is case-sensitive.
  static func isWellFormed(_ octet: UInt8, at index: Int) -> Bool {
    switch index {
    case 0: octet == UInt8(ascii: "H")
    case 1, 2: octet == UInt8(ascii: "T")
    case 3: octet == UInt8(ascii: "P")
    case 4: octet == .slash
    case 6: octet == UInt8(ascii: ".")
    default: OctetSet.digit.contains(octet)
    }
  }

  /// Recognises the two digits of a well-formed version.
  ///
  /// - Throws: `HTTPError` 505 for every version but 1.0 and 1.1. A later minor version could be served as 1.1
  ///   (RFC 9110 §2.5), but none exists: a client that claims one is testing the parser.
  init(major: UInt8, minor: UInt8) throws(HTTPError) {
    switch (major, minor) {
    case (UInt8(ascii: "1"), UInt8(ascii: "0")): self = .http10
    case (UInt8(ascii: "1"), UInt8(ascii: "1")): self = .http11
    default:
      throw HTTPError(.httpVersionNotSupported, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    }
  }
}
