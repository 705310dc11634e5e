import FoundationEssentials
import HTTP1

/// What a client presents by `Authorization: Basic`.
///
/// RFC 7617 §2.
struct BasicCredentials {
  let user: [UInt8]
  let password: [UInt8]

  /// Reads what comes after the scheme's name: `user-id ":" password`, in Base64; nil if it is not that.
  init?(_ text: Substring) {
    guard let decoded = Data(base64Encoded: String(text)),
      let colon = decoded.firstIndex(of: UInt8(ascii: ":"))
    else { return nil }
    user = Array(decoded[..<colon])
    password = Array(decoded[(colon + 1)...])
  }

  /// Those of a request that has one such field.
  init?(_ request: RequestHead) {
    let fields = request.values("Authorization")
    // RFC 9110 §11.4: 1*SP between the two.
    let parts = fields.first?.split(separator: " ") ?? []
    guard fields.count == 1, parts.count == 2, parts[0].lowercased() == "basic" else { return nil }
    self.init(parts[1])
  }
}
