import HTTP1
import Testing

/// One request and what must come of it, with the sentence of a specification that says so.
struct RequestVector: Sendable, CustomTestStringConvertible {
  enum Expectation: Sendable {
    case head(
      method: Method, version: HTTPVersion, path: String, query: [QueryItem], fieldCount: Int,
      keepsAlive: Bool)
    case status(Int)
  }

  /// Where it is written.
  let source: String
  let request: [UInt8]
  let expectation: Expectation

  var testDescription: String {
    "\(source): \(String(decoding: request.prefix(90), as: UTF8.self).debugDescription)"
  }

  /// A request that must be refused.
  static func refuse(_ status: Int, _ source: String, _ request: String) -> RequestVector {
    RequestVector(source: source, request: octets(request), expectation: .status(status))
  }

  /// A request that must be accepted.
  static func accept(
    _ source: String, _ request: String, method: Method = .get, version: HTTPVersion = .http11,
    path: String = "/", query: [QueryItem] = [], fieldCount: Int = 1, keepsAlive: Bool = true
  ) -> RequestVector {
    RequestVector(
      source: source, request: octets(request),
      expectation: .head(
        method: method, version: version, path: path, query: query, fieldCount: fieldCount,
        keepsAlive: keepsAlive))
  }

  /// A good request with further field lines, which must be refused.
  static func refuseField(_ status: Int, _ source: String, _ lines: String) -> RequestVector {
    refuse(status, source, "GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n")
  }

  /// A good request with one further field line, which must be accepted.
  static func acceptField(_ source: String, _ lines: String, keepsAlive: Bool = true) -> RequestVector {
    accept(source, "GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\r\n", fieldCount: 2, keepsAlive: keepsAlive)
  }

  static func refuseTarget(_ source: String, _ target: String) -> RequestVector {
    refuse(400, source, "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
  }

  static func acceptTarget(
    _ source: String, _ target: String, path: String, query: [QueryItem] = []
  ) -> RequestVector {
    accept(source, "GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n", path: path, query: query)
  }

  static func refuseHost(_ source: String, _ host: String) -> RequestVector {
    refuse(400, source, "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
  }

  static func acceptHost(_ source: String, _ host: String) -> RequestVector {
    accept(source, "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
  }

  /// One octet for each scalar up to U+00FF, so that any octets can be written as a literal.
  static func octets(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8($0.value) }
  }

  static let all = requestLine + targets + hosts + fieldSyntax + framing + connection
}
