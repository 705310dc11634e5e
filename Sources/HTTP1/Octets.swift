/// The octets that delimit, by the names of RFC 5234 appendix B.1 where it has them.
extension UInt8 {
  static let tab: UInt8 = 0x09
  static let lineFeed: UInt8 = 0x0A
  static let carriageReturn: UInt8 = 0x0D
  static let space: UInt8 = 0x20
  static let percent = UInt8(ascii: "%")
  static let colon = UInt8(ascii: ":")
  static let slash = UInt8(ascii: "/")

  /// Whether this is SP or HTAB, the octets of `OWS`: RFC 9110 §5.6.3.
  var isOptionalWhitespace: Bool { self == .space || self == .tab }

  /// This octet, an ASCII capital made small.
  var asciiLowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

  /// The value of a hexadecimal digit.
  var hexDigitValue: UInt8? {
    switch self {
    case 0x30...0x39: self - 0x30
    case 0x41...0x46: self - 0x41 + 10
    case 0x61...0x66: self - 0x61 + 10
    default: nil
    }
  }
}

extension Span<UInt8> {
  /// Compares with an ASCII text, capitals and small letters alike.
  func equalsIgnoringCase(_ text: String) -> Bool {
    guard text.utf8.count == count else { return false }
    var index = 0
    for octet in text.utf8 {
      guard octet.asciiLowercased == self[index].asciiLowercased else { return false }
      index += 1
    }
    return true
  }

  /// A copy as text, or nil if these octets are not UTF-8.
  func text() -> String? {
    guard let utf8 = try? UTF8Span(validating: self) else { return nil }
    return String(copying: utf8)
  }

  /// A copy as text, in which U+FFFD stands for what is not UTF-8.
  func repairedText() -> String {
    text() ?? String(decoding: indices.map { self[$0] }, as: UTF8.self)
  }

  /// A range of these octets without the `OWS` at both of its ends: RFC 9112 §5.1.
  func trimmingOptionalWhitespace(_ range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end, self[start].isOptionalWhitespace { start += 1 }
    while end > start, self[end - 1].isOptionalWhitespace { end -= 1 }
    return start..<end
  }
}

extension String {
  /// Whether two ASCII texts differ in nothing but capitals and small letters.
  func equalsIgnoringCase(_ other: String) -> Bool {
    utf8.span.equalsIgnoringCase(other)
  }
}
