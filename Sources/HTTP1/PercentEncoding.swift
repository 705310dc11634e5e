/// The three ways in which this target meets percent-encoded octets.
///
/// RFC 3986 §2.1.
enum PercentEncoding {
  /// Puts a path in one form: escapes of unreserved octets are undone, all others stay, in capitals.
  ///
  /// Two paths that RFC 3986 §6.2.2 calls equivalent become the same text, and no two others do: `%2F` stays
  /// `%2F` and never becomes a separator, `%252F` stays `%252F`.
  ///
  /// - Throws: `HTTPError` 400 for an escape without two hexadecimal digits, an escaped NUL, and escapes that
  ///   together are not UTF-8.
  static func normalizePath(_ path: Span<UInt8>) throws(HTTPError) -> String {
    var normalized: [UInt8] = []
    var decoded: [UInt8] = []
    normalized.reserveCapacity(path.count)
    decoded.reserveCapacity(path.count)
    var index = 0
    while index < path.count {
      let octet = try octet(at: &index, of: path)
      decoded.append(octet.value)
      if octet.isEscaped, !OctetSet.unreserved.contains(octet.value) {
        append(octet.value, to: &normalized)
      } else {
        normalized.append(octet.value)
      }
    }
    guard decoded.span.text() != nil, let text = normalized.span.text() else { throw notUTF8 }
    return text
  }

  /// Decodes a name or a value of a query as forms write them: "+" is a space, "%2B" a plus.
  ///
  /// - Throws: as `normalizePath(_:)`.
  ///
  /// URL Standard, application/x-www-form-urlencoded parsing: https://url.spec.whatwg.org/#urlencoded-parsing
  static func decodeForm(_ text: Span<UInt8>) throws(HTTPError) -> String {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      let octet = try octet(at: &index, of: text)
      decoded.append(octet.value == UInt8(ascii: "+") && !octet.isEscaped ? .space : octet.value)
    }
    guard let text = decoded.span.text() else { throw notUTF8 }
    return text
  }

  /// Escapes every octet of the text's UTF-8 that is not in `set`.
  static func encode(_ text: String, keeping set: OctetSet) -> String {
    var encoded: [UInt8] = []
    for octet in text.utf8 {
      if set.contains(octet) { encoded.append(octet) } else { append(octet, to: &encoded) }
    }
    return String(decoding: encoded, as: UTF8.self)
  }

  /// Reads one octet, escaped or not, and moves past it.
  private static func octet(
    at index: inout Int, of bytes: Span<UInt8>
  ) throws(HTTPError) -> (value: UInt8, isEscaped: Bool) {
    guard bytes[index] == .percent else {
      index += 1
      return (bytes[index - 1], false)
    }
    guard index + 2 < bytes.count, let high = bytes[index + 1].hexDigitValue,
      let low = bytes[index + 2].hexDigitValue
    else {
      throw HTTPError(.badRequest, "A \"%\" in the request target needs two hexadecimal digits after it.")
    }
    index += 3
    guard high | low != 0 else {
      throw HTTPError(.badRequest, "The request target holds an escaped NUL, which no name has.")
    }
    return (high << 4 | low, true)
  }

  /// Appends `%XX`. RFC 3986 §2.1: "should use uppercase hexadecimal digits".
  private static func append(_ octet: UInt8, to bytes: inout [UInt8]) {
    bytes.append(.percent)
    for digit in [octet >> 4, octet & 15] {
      bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10)
    }
  }

  private static var notUTF8: HTTPError {
    HTTPError(.badRequest, "The request target's escapes are not UTF-8: encode names as UTF-8.")
  }
}
