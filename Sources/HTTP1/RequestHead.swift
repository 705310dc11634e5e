/// A request line and the header section after it, valid as a whole.
///
/// RFC 9112 §2.1. No request here has content: a head is the whole message.
public struct RequestHead: Sendable, Hashable {
  /// What to do.
  public var method: Method
  /// With what.
  public var target: RequestTarget
  /// The version the client speaks.
  public var version: HTTPVersion
  /// The field lines in their order, each as it came.
  public var fields: [FieldLine]

  /// The values of every field line called `name`, in their order; lists are not taken apart.
  public func values(_ name: String) -> [String] {
    var values: [String] = []
    for field in fields where field.isNamed(name) { values.append(field.value) }
    return values
  }

  /// Whether the client wants to send another request on this connection.
  ///
  /// RFC 9112 §9.3: `close` ends it; otherwise HTTP/1.1 persists, and HTTP/1.0 only with `keep-alive`.
  public var keepsAlive: Bool {
    var keepAlive = false
    for field in fields where field.isNamed("Connection") {
      let list = field.value.utf8.span
      var start = 0
      while start <= list.count {
        var end = start
        while end < list.count, list[end] != UInt8(ascii: ",") { end += 1 }
        // "Connection options are case-insensitive": RFC 9110 §7.6.1.
        let option = list.extracting(list.trimmingOptionalWhitespace(start..<end))
        if option.equalsIgnoringCase("close") { return false }
        if option.equalsIgnoringCase("keep-alive") { keepAlive = true }
        start = end + 1
      }
    }
    return version == .http11 || keepAlive
  }
}
