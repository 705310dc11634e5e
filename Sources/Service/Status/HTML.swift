import System

/// Markup. What is interpolated as a text is escaped; only what is markup already is not.
package struct HTML: ExpressibleByStringInterpolation, Sendable {
  package private(set) var text: String

  package init(stringLiteral markup: String) { text = markup }

  package init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

  /// Markup that stands in this program, or that was made of such.
  init(markup: String) { text = markup }

  package struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var text = ""

    package init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }

    package mutating func appendLiteral(_ markup: String) { text += markup }

    package mutating func appendInterpolation(_ text: String) { self.text += HTML.escaped(text) }

    package mutating func appendInterpolation(_ number: some BinaryInteger) { text += "\(number)" }

    package mutating func appendInterpolation(_ html: HTML) { text += html.text }

    package mutating func appendInterpolation(_ parts: [HTML]) {
      for part in parts { text += part.text }
    }
  }

  /// Fit for content and for an attribute's value between quotation marks. Control characters, which HTML has no way to write,
  /// look as they do in a terminal.
  ///
  /// https://html.spec.whatwg.org/multipage/syntax.html#attributes-2
  private static func escaped(_ text: String) -> String {
    var bytes: [UInt8] = []
    for byte in printable(text).utf8 {
      switch byte {
      case UInt8(ascii: "&"): bytes += "&amp;".utf8
      case UInt8(ascii: "<"): bytes += "&lt;".utf8
      case UInt8(ascii: ">"): bytes += "&gt;".utf8
      case UInt8(ascii: "\""): bytes += "&quot;".utf8
      case UInt8(ascii: "'"): bytes += "&#39;".utf8
      default: bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
