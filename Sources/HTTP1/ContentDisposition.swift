/// Asks a client to keep the content as a file.
///
/// RFC 6266.
package enum ContentDisposition {
  /// The field's value for any name at all: `attachment; filename="…"`, and `filename*` after it where the first
  /// form cannot say the name unchanged.
  ///
  /// The plain form holds tokens' characters and spaces; everything else becomes "_" there, quotes, path
  /// separators and "%" too, which clients are known to misread (RFC 6266 appendix D).
  ///
  /// RFC 6266 §4.3, RFC 8187 §3.2.
  package static func attachment(filename: String) -> String {
    var plain: [UInt8] = []
    for scalar in filename.unicodeScalars {
      let octet = UInt8(exactly: scalar.value) ?? 0
      let isPlain = octet == .space || (OctetSet.token.contains(octet) && octet != .percent)
      plain.append(isPlain ? octet : UInt8(ascii: "_"))
    }
    let value = "attachment; filename=\"" + String(decoding: plain, as: UTF8.self) + "\""
    guard !plain.elementsEqual(filename.utf8) else { return value }
    return value + "; filename*=UTF-8''" + PercentEncoding.encode(filename, keeping: .attributeCharacter)
  }
}
