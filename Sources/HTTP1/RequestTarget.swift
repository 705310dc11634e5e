/// What a request asks for.
///
/// RFC 9112 §3.2.
package struct RequestTarget: Sendable, Hashable {
  /// The target as it was received, for logs. Printable ASCII without spaces.
  package let text: String
  /// The path in one form, to be compared whole: it begins with "/", escapes of unreserved octets are undone
  /// (`/%61pi` is `/api`), all others stay (`%2F` never becomes a separator). Dot segments are not resolved:
  /// nothing here is a file system.
  ///
  /// RFC 3986 §6.2.2.
  package let path: String
  /// The query, decoded as forms are: "+" is a space.
  package let query: [QueryItem]
  /// The authority of an absolute-form target, as it was received; nil for origin-form.
  ///
  /// RFC 9112 §3.2.2.
  package let authority: String?

  /// Reads origin-form and, with the scheme `http`, absolute-form.
  ///
  /// - Throws: `HTTPError` 400 for the other two forms (authority-form belongs to CONNECT, asterisk-form to
  ///   OPTIONS), for a fragment, for userinfo, for an octet out of its place and for a bad escape;
  ///   421 for an `https` target, which a connection without TLS must not answer (RFC 9110 §7.4).
  init(_ target: Span<UInt8>) throws(HTTPError) {
    var pathStart = 0
    var authority: String?
    if target[0] != .slash {
      let authorityStart = try Self.endOfScheme(target)
      pathStart = authorityStart
      // The authority ends at the next "/" or "?", or with the target: RFC 3986 §3.2.
      while pathStart < target.count, target[pathStart] != .slash, target[pathStart] != UInt8(ascii: "?") {
        pathStart += 1
      }
      let bytes = target.extracting(authorityStart..<pathStart)
      guard Authority.isWellFormed(bytes) else {
        throw HTTPError(
          .badRequest, "The request target's host must be a name or an address, and at most a port.")
      }
      authority = bytes.text()
    }
    let pathEnd = OctetSet.path.endOfRun(in: target, from: pathStart, to: target.count)
    let queryStart = min(pathEnd + 1, target.count)
    let query = target.extracting(queryStart..<target.count)
    guard pathEnd == target.count || target[pathEnd] == UInt8(ascii: "?"),
      OctetSet.query.containsAll(of: query)
    else {
      throw HTTPError(.badRequest, "The request target holds \"[\" or \"]\": percent-encode them.")
    }
    guard let text = target.text() else { throw Self.unknownForm }
    self.text = text
    self.authority = authority
    self.query = try QueryItem.items(of: query)
    self.path = try Self.path(target.extracting(pathStart..<pathEnd), whole: text)
  }

  /// The path's text; the target's own, shared, where both are the same.
  private static func path(_ path: Span<UInt8>, whole text: String) throws(HTTPError) -> String {
    // An http URI with an empty path means "/": RFC 9110 §4.2.3.
    if path.isEmpty { return "/" }
    for index in path.indices where path[index] == .percent {
      return try PercentEncoding.normalizePath(path)
    }
    return path.count == text.utf8.count ? text : path.text() ?? text
  }

  /// Where the authority of an absolute-form target begins. Schemes know no capitals: RFC 3986 §3.1.
  private static func endOfScheme(_ target: Span<UInt8>) throws(HTTPError) -> Int {
    if target.extracting(first: 7).equalsIgnoringCase("http://") { return 7 }
    if target.extracting(first: 8).equalsIgnoringCase("https://") {
      throw HTTPError(.misdirectedRequest, "This connection is not encrypted: ask for the path alone.")
    }
    throw unknownForm
  }

  private static var unknownForm: HTTPError {
    HTTPError(.badRequest, "The request target must be a path that begins with \"/\", or an http:// URI.")
  }
}
