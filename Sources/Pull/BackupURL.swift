import Crypto
package import System

/// The URL of a backup.
package struct BackupURL: Equatable, Sendable {
  /// As curl gets it.
  package let text: String
  /// Whether its archives are stored, so that the service can send deltas of them.
  package let isStored: Bool

  /// - Parameters:
  ///   - isWhole: whether the service chooses how to compress.
  /// - Returns: nil if it is none of HTTP.
  package init?(_ text: String, isWhole: Bool) {
    let scheme = ["http://", "https://"].first { text.utf8.starts(with: $0.utf8) }
    guard let scheme, text.utf8.count > scheme.utf8.count,
      text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "#") })
    else { return nil }
    let query = text.utf8.firstIndex(of: UInt8(ascii: "?")).map { text[text.utf8.index(after: $0)...] }
    let levels = (query ?? "").split(separator: "&").filter { $0.utf8.starts(with: "compression=".utf8) }
    guard !isWhole, levels.isEmpty else {
      self.text = text
      isStored = !isWhole && levels == ["compression=store"]
      return
    }
    let separator = query == nil ? "?" : query == "" ? "" : "&"
    self.text = "\(text)\(separator)compression=store"
    isStored = true
  }

  /// For messages: without a password.
  package var shown: String {
    guard let start = text.firstRange(of: "://")?.upperBound,
      let end = text[start...].firstIndex(where: { "/?".contains($0) }) ?? Optional(text.endIndex),
      let at = text[start..<end].lastIndex(of: "@")
    else { return text }
    return String(text[..<start] + text[text.index(after: at)...])
  }

  /// Stands for it where a password must not be written.
  package var digest: String { Array(SHA256.hash(data: Array(text.utf8))).hexadecimal }
}

/// The SHA-256 of a file.
package enum FileDigest {
  private static let pieceSize = 1 << 20

  package static func sha256(_ path: String) throws(SystemError) -> [UInt8] {
    let file = try FileSystem.openFile(BytePath(path))
    var hash = SHA256()
    var offset: UInt64 = 0
    while true {
      let piece = try file.read(pieceSize, at: offset)
      if piece.isEmpty { return Array(hash.finalize()) }
      hash.update(data: piece)
      offset += UInt64(piece.count)
    }
  }
}
