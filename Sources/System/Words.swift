/// The words of a text, as systemd makes them of a variable that stands alone on a command line: between blanks, or in `'` or
/// `"`. After a backslash the next byte stands for itself, in either kind of quotation marks, too.
///
/// systemd.service(5), "Command lines"; `extract_first_word` of systemd.
package struct Words {
  package private(set) var all: [String] = []
  /// Whether every quotation mark has its second, and a backslash a byte after it. What is left open ends with the text.
  package private(set) var isClosed = true

  private static let blanks = Set(" \t\n\r".utf8)
  private static let backslash = UInt8(ascii: "\\")

  package init(_ text: String) {
    var word: [UInt8]?
    var quote: UInt8?
    var bytes = text.utf8.makeIterator()
    while let byte = bytes.next() {
      if byte == Self.backslash {
        let next = bytes.next()
        isClosed = next != nil
        word = (word ?? []) + (next.map { [$0] } ?? [])
      } else if byte == quote {
        quote = nil
      } else if quote == nil, byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
        quote = byte
        word = word ?? []
      } else if quote == nil, Self.blanks.contains(byte) {
        if let word { all.append(String(decoding: word, as: UTF8.self)) }
        word = nil
      } else {
        word = (word ?? []) + [byte]
      }
    }
    isClosed = isClosed && quote == nil
    if let word { all.append(String(decoding: word, as: UTF8.self)) }
  }

  /// A text of which these are the words: each is in quotation marks that needs them.
  package static func text(_ words: [String]) -> String {
    words.map { word in
      let isPlain = !word.isEmpty && !word.utf8.contains { blanks.contains($0) || "'\"\\".utf8.contains($0) }
      return isPlain ? word : word.quoted
    }.joined(separator: " ")
  }
}
