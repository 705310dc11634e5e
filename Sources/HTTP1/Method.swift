/// A request method that this server implements.
///
/// RFC 9110 §9: "All general-purpose servers MUST support the methods GET and HEAD. All other methods are
/// OPTIONAL."
package enum Method: String, Sendable, Hashable {
  /// Transfer the representation. RFC 9110 §9.3.1.
  case get = "GET"
  /// The same without its content. RFC 9110 §9.3.2.
  case head = "HEAD"

  /// Recognises a method token; methods are case-sensitive.
  ///
  /// - Throws: `HTTPError` 405 for a method known but not supported here, 501 for one not recognised.
  ///
  /// RFC 9110 §9.1.
  init(_ token: Span<UInt8>) throws(HTTPError) {
    switch token.text() {
    case "GET": self = .get
    case "HEAD": self = .head
    case "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
      // "The origin server MUST generate an Allow header field in a 405 response" (§15.5.6).
      throw HTTPError(
        .methodNotAllowed, "Everything here is only read: ask with GET or HEAD.",
        fields: [FieldLine(name: "Allow", value: "GET, HEAD")])
    default:
      throw HTTPError(.notImplemented, "The request's method is not known here: ask with GET or HEAD.")
    }
  }
}
