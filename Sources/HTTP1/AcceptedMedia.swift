/// What a client would like an answer to be written in.
///
/// RFC 9110 §12.5.1.
package struct AcceptedMedia: Sendable {
  /// One media range: `text/plain;version=0.0.4;q=0.5`.
  package struct Range: Sendable {
    /// In small letters.
    package let type: String
    /// But for `q`, their names in small letters, values as they came.
    package let parameters: [(name: String, value: String)]
    /// In thousandths: 0 refuses it.
    package let weight: Int

    /// The value of a parameter; nil if it has none of that name.
    package func parameter(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
  }

  package let ranges: [Range]

  /// Reads the field of a request; a member without a type says nothing.
  package init(_ request: RequestHead) {
    ranges = request.values("Accept").flatMap { $0.split(separator: ",") }.compactMap(Range.init)
  }
}

extension AcceptedMedia.Range {
  fileprivate init?(_ member: Substring) {
    let trimmed = { (text: Substring) in
      text.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed()
    }
    let parts = member.split(separator: ";").map { String(trimmed($0)) }
    guard let type = parts.first, type.contains("/") else { return nil }
    var weight = 1000
    var parameters: [(name: String, value: String)] = []
    for part in parts.dropFirst() {
      let pair = part.split(separator: "=", maxSplits: 1)
      guard pair.count == 2 else { continue }
      if pair[0].lowercased() == "q" {
        weight = Self.thousandths(pair[1]) ?? 0
      } else {
        parameters.append((pair[0].lowercased(), String(pair[1])))
      }
    }
    self.type = type.lowercased()
    self.parameters = parameters
    self.weight = weight
  }

  /// RFC 9110 §12.4.2: `qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )`.
  private static func thousandths(_ text: Substring) -> Int? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let digits = Array(parts.count > 1 ? parts[1].utf8 : Substring().utf8)
    guard parts[0] == "0" || parts[0] == "1", digits.count <= 3,
      digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    var value = parts[0] == "1" ? 1 : 0
    for index in 0..<3 {
      let digit = index < digits.count ? digits[index] - UInt8(ascii: "0") : 0
      value = value * 10 + Int(digit)
    }
    return value <= 1000 ? value : nil
  }
}
