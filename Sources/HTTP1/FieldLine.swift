/// One line of a header section: a name, and a value without the whitespace around it.
///
/// A value of this type never holds CR, LF or NUL, so what is written from it cannot become a second line
/// or a second response.
///
/// RFC 9112 §5, RFC 9110 §5.
package struct FieldLine: Sendable, Hashable {
  /// The name as it was written; compare with `isNamed(_:)`.
  package let name: String
  /// The value. Ours are ASCII; that of a client's field is, too, if `isInterpreted`.
  package let value: String

  /// A line to send.
  ///
  /// A name that is no token, and a value outside printable ASCII, SP and HTAB, are bugs and trap. Text from
  /// elsewhere (a file's name) is first encoded: `FieldLine.percentEncoded(_:)`, `ContentDisposition`.
  ///
  /// RFC 9110 §5.1 and §5.5: "Specification authors SHOULD limit field values to US-ASCII octets".
  package init(name: String, value: String) {
    precondition(!name.isEmpty && OctetSet.token.containsAll(of: name.utf8.span), "not a field name")
    precondition(OctetSet.asciiFieldValue.containsAll(of: value.utf8.span), "not a field value: \(name)")
    self.name = name
    self.value = value
  }

  /// A line received, which the parser has looked at octet by octet. `obs-text` that is not UTF-8 becomes U+FFFD.
  ///
  /// RFC 9110 §5.5: "A recipient SHOULD treat other allowed octets in field content (i.e., obs-text) as opaque data".
  init(receivedName name: Span<UInt8>, value: Span<UInt8>) {
    self.name = name.repairedText()
    self.value = value.repairedText()
  }

  /// The fields of a request that something here reads.
  private static let interpretedNames = [
    "A-IM", "Authorization", "Connection", "Content-Length", "Expect", "Host", "Range", "TE",
    "Transfer-Encoding",
    "X-Forwarded-For",
  ]

  /// Whether the value means something here, so that it must be ASCII: no specification of these fields gives
  /// `obs-text` a meaning, and two readers could take it for two things. An entity tag may have it (RFC 9110 §8.8.3), and
  /// only ASCII in it equals a tag of this server.
  var isInterpreted: Bool { Self.interpretedNames.contains { isNamed($0) } }

  /// Whether this line's name is `name`, capitals and small letters alike. RFC 9110 §5.1.
  package func isNamed(_ name: String) -> Bool {
    self.name.equalsIgnoringCase(name)
  }

  /// Any text as one member of a list in a field value: all but `unreserved` octets of its UTF-8
  /// percent-encoded. `a b,c.db` becomes `a%20b%2Cc.db`.
  ///
  /// RFC 3986 §2.1.
  package static func percentEncoded(_ text: String) -> String {
    PercentEncoding.encode(text, keeping: .unreserved)
  }
}
