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

  /// The parameters of a service, which are no secrets: docs/http-api.md.
  private static let parameters = ["compression", "db", "resume", "strict"]

  /// For messages: without a password, and without the values of parameters that a service does not know.
  package var shown: String {
    let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let query = parts.dropFirst().map { "?\(Self.shown(query: $0))" }.joined()
    let base = parts[0]
    guard let start = base.firstRange(of: "://")?.upperBound,
      let at = base[start...].prefix(while: { $0 != "/" }).lastIndex(of: "@")
    else { return base + query }
    return base[..<start] + base[base.index(after: at)...] + query
  }

  private static func shown(query: Substring) -> String {
    query.split(separator: "&", omittingEmptySubsequences: false).map { parameter in
      let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = parts.first, !parameters.contains(String(name)), !parameter.isEmpty else {
        return String(parameter)
      }
      // Without a name, all of it may be the secret.
      return parts.count == 1 ? "…" : "\(name)=…"
    }.joined(separator: "&")
  }

  /// For messages: a text that is none, unless it may have a password or another secret.
  package static func shown(refused text: String) -> String {
    text.utf8.contains { "@?".utf8.contains($0) } ? "…" : text
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
