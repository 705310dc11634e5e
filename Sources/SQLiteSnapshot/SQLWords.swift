/// The words of a statement, divided as every version of SQLite divides them: `tokenize.c`.
struct SQLWords {
  enum Word: Equatable {
    /// A keyword, a name or a number.
    case bare(String)
    /// A name or a text, without its quotes.
    case quoted(String)
    case mark(UInt8)

    /// As a name; nil if it is none.
    var name: String? {
      switch self {
      case .bare(let text), .quoted(let text): text
      case .mark: nil
      }
    }

    /// In lower case, if it may be a keyword.
    var keyword: String? { if case .bare(let text) = self { SQLWords.folded(text) } else { nil } }
  }

  private(set) var words: [Word] = []

  init(_ sql: String) {
    let bytes = Array(sql.utf8)
    var place = 0
    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
    while place < bytes.count {
      let start = place
      let byte = bytes[place]
      place += 1
      switch byte {
      case UInt8(ascii: " "), 0x09...0x0d: continue
      case UInt8(ascii: "-") where place < bytes.count && bytes[place] == byte:
        while place < bytes.count, bytes[place] != UInt8(ascii: "\n") { place += 1 }
      case UInt8(ascii: "/") where place < bytes.count && bytes[place] == UInt8(ascii: "*"):
        place += 2
        while place < bytes.count, !bytes[place - 1...place].elementsEqual("*/".utf8) { place += 1 }
        place += 1
      case UInt8(ascii: "["):
        while place < bytes.count, bytes[place] != UInt8(ascii: "]") { place += 1 }
        words.append(.quoted(text(start + 1..<place)))
        place += 1
      case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"):
        var content: [UInt8] = []
        while place < bytes.count {
          if bytes[place] == byte {
            place += 1
            // Two of them stand for one.
            guard place < bytes.count, bytes[place] == byte else { break }
          }
          content.append(bytes[place])
          place += 1
        }
        words.append(.quoted(String(decoding: content, as: UTF8.self)))
      case _ where Self.isOfName(byte):
        while place < bytes.count, Self.isOfName(bytes[place]) { place += 1 }
        words.append(.bare(text(start..<place)))
      default: words.append(.mark(byte))
      }
    }
  }

  /// `IdChar` of `tokenize.c`.
  private static func isOfName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...:
      true
    default: false
    }
  }

  /// A name, whatever it is, as a statement has it.
  static func quoted(_ name: String) -> String { "\"\(name.replacing("\"", with: "\"\""))\"" }

  /// A name as `sqlite3_stricmp` compares it: only ASCII has cases.
  static func folded(_ name: String) -> String {
    String(
      decoding: name.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 },
      as: UTF8.self)
  }
}
