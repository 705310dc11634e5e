/// The instance manipulations that a client takes: `A-IM: vcdiff, gzip;q=0.5`.
///
/// RFC 3229 §10.5.3.
package struct AcceptedManipulations {
  /// By token in small letters: in thousandths, 0 for what it does not take.
  private var qualities: [String: Int] = [:]

  /// Reads the field; a member that is malformed is as if it were not there.
  package init(_ request: RequestHead) {
    for value in request.values("A-IM") {
      for member in value.utf8.split(separator: UInt8(ascii: ",")) {
        let parts = member.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
          .map(Self.trimmed)
        guard let token = parts.first, !token.isEmpty else { continue }
        var quality: Int? = 1000
        for parameter in parts.dropFirst() where parameter.hasPrefix("q=") {
          quality = Self.quality(parameter.dropFirst(2))
        }
        if let quality { qualities[token] = quality }
      }
    }
  }

  /// Whether it takes one of this name, and not the instance itself rather.
  package func accepts(_ token: String) -> Bool {
    guard let quality = qualities[token], quality > 0 else { return false }
    return quality >= qualities["identity"] ?? 0
  }

  private static func trimmed(_ octets: Substring.UTF8View.SubSequence) -> String {
    let trimmed = octets.drop(while: \.isOptionalWhitespace)
    let end = trimmed.lastIndex { !$0.isOptionalWhitespace }
    return String(decoding: end.map { trimmed[...$0] } ?? trimmed.prefix(0), as: UTF8.self).lowercased()
  }

  /// `0.5` in thousandths. RFC 9110 §12.4.2.
  private static func quality(_ text: Substring) -> Int? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first, whole == "0" || whole == "1" else { return nil }
    let digits = parts.count > 1 ? parts[1] : ""
    guard digits.utf8.count <= 3, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    let thousandths = Int(digits + String(repeating: "0", count: 3 - digits.utf8.count)) ?? 0
    return min(1000, (whole == "1" ? 1000 : 0) + thousandths)
  }
}
