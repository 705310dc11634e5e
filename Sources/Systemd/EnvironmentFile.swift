/// The variables in a file for `EnvironmentFile=`: systemd.exec(5).
///
/// A value may have parts in quotation marks, within which blanks and line ends count; after a backslash the next byte stands
/// for itself, and a line end is none. A line that is no assignment is passed over, as systemd does.
package struct EnvironmentFile {
  /// Of a name that comes twice, the last value.
  package private(set) var variables: [String: String] = [:]

  private var bytes: ArraySlice<UInt8>

  private static let blanks: Set<UInt8> = [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r")]
  private static let newline = UInt8(ascii: "\n")
  private static let backslash = UInt8(ascii: "\\")
  /// What a backslash protects within `"`; before any other byte it stands for itself there.
  private static let protected = Set("\"\\`$".utf8)

  package init(_ text: [UInt8]) {
    bytes = text[...]
    while let first = bytes.first {
      if first == Self.newline || Self.blanks.contains(first) {
        bytes.removeFirst()
      } else if first == UInt8(ascii: "#") || first == UInt8(ascii: ";") {
        bytes = bytes.drop { $0 != Self.newline }
      } else {
        readAssignment()
      }
    }
  }

  private mutating func readAssignment() {
    let name = bytes.prefix { $0 != UInt8(ascii: "=") && $0 != Self.newline }
    bytes = bytes.dropFirst(name.count)
    guard bytes.popFirst() == UInt8(ascii: "=") else { return }
    let value = readValue()
    let end = name.lastIndex { !Self.blanks.contains($0) }.map { $0 + 1 } ?? name.startIndex
    let text = String(decoding: name[..<end], as: UTF8.self)
    guard !text.isEmpty else { return }
    variables[text] = String(decoding: value, as: UTF8.self)
  }

  private mutating func readValue() -> [UInt8] {
    var value: [UInt8] = []
    // Blanks after this place are dropped if nothing follows them.
    var end = 0
    var isStarted = false
    while let byte = bytes.popFirst(), byte != Self.newline {
      switch byte {
      case UInt8(ascii: "'") where !isStarted:
        let part = bytes.prefix { $0 != UInt8(ascii: "'") }
        value += part
        bytes = bytes.dropFirst(part.count + 1)
        end = value.count
      case UInt8(ascii: "\"") where !isStarted:
        readDoubleQuoted(into: &value)
        end = value.count
      case Self.backslash:
        isStarted = true
        guard let next = bytes.popFirst(), next != Self.newline else { continue }
        value.append(next)
        end = value.count
      case _ where Self.blanks.contains(byte):
        if isStarted { value.append(byte) }
      default:
        isStarted = true
        value.append(byte)
        end = value.count
      }
    }
    return Array(value[..<end])
  }

  private mutating func readDoubleQuoted(into value: inout [UInt8]) {
    while let byte = bytes.popFirst(), byte != UInt8(ascii: "\"") {
      guard byte == Self.backslash, let next = bytes.popFirst() else {
        value.append(byte)
        continue
      }
      if Self.protected.contains(next) {
        value.append(next)
      } else if next != Self.newline {
        value += [byte, next]
      }
    }
  }
}
