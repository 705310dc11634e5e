/// How much of a request head is read before it is refused.
///
/// RFC 9112 §2.3 and §3, RFC 9110 §5.4: a server sets such limits itself.
package struct RequestLimits: Sendable {
  /// Octets of a method; more is 501, as RFC 9112 §3 asks. The longest one registered
  /// with IANA, UPDATEREDIRECTREF, has 17.
  package var methodLength: Int
  /// Octets of a request target; more is 414. "At a minimum, 8000 octets" of a request line (RFC 9112 §3)
  /// with room to spare.
  package var targetLength: Int
  /// Field lines; one more is 431. A browser behind two proxies sends about thirty.
  package var fieldCount: Int
  /// Octets of one field line without its CRLF; more is 431. As much as nginx takes: cookies are the longest.
  package var fieldLineLength: Int
  /// Octets of a whole head, its last CRLF included; more is 431. One long target and one long cookie,
  /// and the bound on what a silent client makes us keep.
  package var headLength: Int

  /// Sets every limit; those not named are the standard ones.
  package init(
    methodLength: Int = 32, targetLength: Int = 8 << 10, fieldCount: Int = 64, fieldLineLength: Int = 8 << 10,
    headLength: Int = 16 << 10
  ) {
    self.methodLength = methodLength
    self.targetLength = targetLength
    self.fieldCount = fieldCount
    self.fieldLineLength = fieldLineLength
    self.headLength = headLength
  }

  /// The limits of a server that expects no more than a browser sends.
  package static let standard = RequestLimits()
}
