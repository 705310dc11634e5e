/// A status code and its reason phrase.
///
/// RFC 9110 §15.
package struct Status: Sendable, Hashable {
  /// Three digits.
  package let code: Int
  /// For people; clients ignore it. RFC 9112 §4.
  package let reasonPhrase: String

  private init(_ code: Int, _ reasonPhrase: String) {
    self.code = code
    self.reasonPhrase = reasonPhrase
  }

  /// RFC 9110 §15.3.1.
  package static let ok = Status(200, "OK")
  /// RFC 9110 §15.3.7. Needs a `Content-Range` field.
  package static let partialContent = Status(206, "Partial Content")
  /// RFC 3229 §10.4.1: instance manipulations were applied.
  package static let imUsed = Status(226, "IM Used")
  /// RFC 9110 §15.4.5. Has no content.
  package static let notModified = Status(304, "Not Modified")
  /// RFC 9110 §15.5.1.
  package static let badRequest = Status(400, "Bad Request")
  /// RFC 9110 §15.5.2. Needs a `WWW-Authenticate` field.
  package static let unauthorized = Status(401, "Unauthorized")
  /// RFC 9110 §15.5.5.
  package static let notFound = Status(404, "Not Found")
  /// RFC 9110 §15.5.6. Needs an `Allow` field.
  package static let methodNotAllowed = Status(405, "Method Not Allowed")
  /// RFC 9110 §15.5.9.
  package static let requestTimeout = Status(408, "Request Timeout")
  /// RFC 9110 §15.5.13.
  package static let preconditionFailed = Status(412, "Precondition Failed")
  /// RFC 9110 §15.5.14.
  package static let contentTooLarge = Status(413, "Content Too Large")
  /// RFC 9110 §15.5.15.
  package static let uriTooLong = Status(414, "URI Too Long")
  /// RFC 9110 §15.5.17. Tells the length in a `Content-Range` field.
  package static let rangeNotSatisfiable = Status(416, "Range Not Satisfiable")
  /// RFC 9110 §15.5.18.
  package static let expectationFailed = Status(417, "Expectation Failed")
  /// RFC 9110 §15.5.20.
  package static let misdirectedRequest = Status(421, "Misdirected Request")
  /// RFC 6585 §3.
  package static let preconditionRequired = Status(428, "Precondition Required")
  /// RFC 6585 §5.
  package static let requestHeaderFieldsTooLarge = Status(431, "Request Header Fields Too Large")
  /// RFC 9110 §15.6.1.
  package static let internalServerError = Status(500, "Internal Server Error")
  /// RFC 9110 §15.6.2.
  package static let notImplemented = Status(501, "Not Implemented")
  /// RFC 9110 §15.6.4. May carry `Retry-After`.
  package static let serviceUnavailable = Status(503, "Service Unavailable")
  /// RFC 9110 §15.6.6.
  package static let httpVersionNotSupported = Status(505, "HTTP Version Not Supported")
}
