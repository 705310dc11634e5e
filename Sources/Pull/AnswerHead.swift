import System

/// The head of an answer and its trailers, as `curl --dump-header` writes them.
package struct AnswerHead: Equatable, Sendable {
  package let status: Int
  private let fields: [String: String]
  private let trailers: [String: String]

  /// Reads the last head of several: a proxy and an interim answer have heads of their own before it.
  ///
  /// - Returns: nil if there is none.
  package init?(_ text: [UInt8]) {
    var status: Int?
    var (fields, trailers): ([String: String], [String: String]) = ([:], [:])
    var isEnded = false
    for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      // A field's value goes into a request, a file and a message: it has no control characters.
      let line = String(decoding: line.filter { $0 >= 0x20 && $0 != 0x7F }, as: UTF8.self)
      if line.utf8.starts(with: "HTTP/".utf8) {
        let words = line.split(separator: " ")
        status = words.count > 1 ? Int(words[1]) : nil
        (fields, trailers, isEnded) = ([:], [:], false)
      } else if let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) {
        let name = line[..<colon].lowercased()
        let value = String(line[line.utf8.index(after: colon)...].drop { $0 == " " })
        if isEnded { trailers[name] = value } else { fields[name] = value }
      } else if line.isEmpty {
        isEnded = true
      }
    }
    guard let status else { return nil }
    self.status = status
    self.fields = fields
    self.trailers = trailers
  }

  /// The value of a field.
  ///
  /// - Parameter name: in small letters.
  package subscript(_ name: String) -> String? { fields[name] }

  /// The value of a field that may come after the content.
  package func anywhere(_ name: String) -> String? { fields[name] ?? trailers[name] }

  /// The entity tag, if it is a strong one: RFC 9110 §8.8.3.
  package var strongTag: String? {
    guard let tag = fields["etag"], Self.isStrong(tag) else { return nil }
    return tag
  }

  /// How the delta in the answer is written; nil if it is none, or one of no known form: RFC 3229 §10.5.
  package var deltaForm: DeltaForm? {
    let names = fields["im"]?.lowercased().filter { $0 != " " }.split(separator: ",")
    return switch names {
    case ["vcdiff"]: DeltaForm(isGzipped: false)
    case ["vcdiff", "gzip"]: DeltaForm(isGzipped: true)
    default: nil
    }
  }

  static func isStrong(_ tag: String) -> Bool {
    let quote = UInt8(ascii: "\"")
    let inner = tag.utf8.dropFirst().dropLast()
    return tag.utf8.count >= 2 && tag.utf8.first == quote && tag.utf8.last == quote
      && inner.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != quote }
  }
}
