/// The digest of what an answer stands for, whole, whatever part of it and in whatever framing it is sent.
///
/// RFC 9530 §3.
package enum ReprDigest {
  /// The field's name, for `Trailer` too.
  package static let name = "Repr-Digest"

  /// `Repr-Digest: sha-256=:…:`
  ///
  /// - Parameter sha256: the 32 bytes of a SHA-256.
  package static func field(sha256: [UInt8]) -> FieldLine { field(name, sha256) }

  fileprivate static func field(_ name: String, _ sha256: [UInt8]) -> FieldLine {
    FieldLine(name: name, value: "sha-256=:\(base64(sha256)):")
  }

  /// As a byte sequence of a structured field is written: RFC 9651 §4.1.8, RFC 4648 §4.
  private static func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
      for index in 0..<4 {
        text.append(index <= group.count ? alphabet[bits >> (18 - 6 * index) & 63] : UInt8(ascii: "="))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

/// The digest of an answer's own content.
///
/// RFC 9530 §2.
package enum ContentDigest {
  /// The field's name, for `Trailer` too.
  package static let name = "Content-Digest"

  /// `Content-Digest: sha-256=:…:`
  ///
  /// - Parameter sha256: the 32 bytes of a SHA-256.
  package static func field(sha256: [UInt8]) -> FieldLine { ReprDigest.field(name, sha256) }
}
