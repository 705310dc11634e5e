/// A request line and the header section after it, valid as a whole.
///
/// RFC 9112 §2.1. No request here has content: a head is the whole message.
package struct RequestHead: Sendable, Hashable {
  /// What to do.
  package var method: Method
  /// With what.
  package var target: RequestTarget
  /// The version the client speaks.
  package var version: HTTPVersion
  /// The field lines in their order, each as it came.
  package var fields: [FieldLine]

  /// The values of every field line called `name`, in their order; lists are not taken apart.
  package func values(_ name: String) -> [String] {
    var values: [String] = []
    for field in fields where field.isNamed(name) { values.append(field.value) }
    return values
  }

  /// The host that the request is for, without a port: the target's own if it has one, else that of `Host`; nil if a
  /// client of HTTP/1.0 names none.
  ///
  /// RFC 9112 §3.3.
  package var host: String? {
    (target.authority ?? values("Host").first).map { Authority.host(of: $0) }
  }

  /// Whether the client wants to send another request on this connection.
  ///
  /// RFC 9112 §9.3: `close` ends it; otherwise HTTP/1.1 persists, and HTTP/1.0 only with `keep-alive`.
  package var keepsAlive: Bool {
    if lists("close", in: "Connection") { return false }
    return version == .http11 || lists("keep-alive", in: "Connection")
  }

  /// Whether the client takes fields after chunked content: RFC 9110 §10.1.4, `TE: trailers`.
  package var takesTrailers: Bool { version == .http11 && lists("trailers", in: "TE") }

  /// Whether the client, or a proxy on the way to it that names itself in `Via`, speaks HTTP/1.0. It knows no chunks:
  /// content without a length ends for it where the connection does, and so looks whole wherever that breaks.
  ///
  /// RFC 9110 §7.6.3.
  package var needsLength: Bool {
    if version == .http10 { return true }
    for via in values("Via") {
      for member in via.utf8.split(separator: UInt8(ascii: ",")) {
        // received-protocol RWS received-by, and the protocol's name may be left out.
        let hop = member.drop(while: \.isOptionalWhitespace).prefix { !$0.isOptionalWhitespace }
        let version = hop.split(separator: .slash).last ?? hop
        if version.elementsEqual("1.0".utf8) || version.elementsEqual("0.9".utf8) { return true }
      }
    }
    return false
  }

  /// Whether a list of tokens, in however many field lines, has this one; capitals and small letters are alike in all
  /// the lists that this is asked of.
  ///
  /// RFC 9110 §5.6.1.
  private func lists(_ token: String, in name: String) -> Bool {
    for field in fields where field.isNamed(name) {
      let list = field.value.utf8.span
      var start = 0
      while start <= list.count {
        var end = start
        while end < list.count, list[end] != UInt8(ascii: ",") { end += 1 }
        let member = list.extracting(list.trimmingOptionalWhitespace(start..<end))
        if member.equalsIgnoringCase(token) { return true }
        start = end + 1
      }
    }
    return false
  }
}
