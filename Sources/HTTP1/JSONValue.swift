/// A JSON text to be: what the answers of this server are made of.
///
/// RFC 8259.
package indirect enum JSONValue: Sendable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A whole number. Beyond ±2^53 many readers round it (RFC 8259 §6).
  case integer(Int)
  /// Any text.
  case string(String)
  /// Values in their order.
  case array([JSONValue])
  /// Members in their order. Names should be unique (RFC 8259 §4); that is the caller's care.
  case object([(name: String, value: JSONValue)])

  /// The text in UTF-8, without whitespace.
  package func encoded() -> [UInt8] {
    var bytes: [UInt8] = []
    encode(into: &bytes)
    return bytes
  }

  private func encode(into bytes: inout [UInt8]) {
    switch self {
    case .null: bytes.append(contentsOf: "null".utf8)
    case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
    case .integer(let value): bytes.append(contentsOf: "\(value)".utf8)
    case .string(let text): Self.encode(text, into: &bytes)
    case .array(let values):
      bytes.append(UInt8(ascii: "["))
      for (index, value) in values.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        value.encode(into: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let members):
      bytes.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        Self.encode(member.name, into: &bytes)
        bytes.append(.colon)
        member.value.encode(into: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  /// "All Unicode characters may be placed within the quotation marks, except for the characters that MUST be
  /// escaped: quotation mark, reverse solidus, and the control characters (U+0000 through U+001F)."
  ///
  /// RFC 8259 §7.
  private static func encode(_ text: String, into bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for octet in text.utf8 {
      switch octet {
      case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
      case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
      case 0x00...0x1F:
        bytes.append(contentsOf: "\\u00".utf8)
        bytes.append(UInt8(ascii: "0") + octet >> 4)
        bytes.append(octet & 15 < 10 ? UInt8(ascii: "0") + octet & 15 : UInt8(ascii: "a") + octet & 15 - 10)
      default: bytes.append(octet)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
