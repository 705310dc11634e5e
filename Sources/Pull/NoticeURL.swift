/// Which moment of a pull a message is about.
package enum PullEvent: String, Equatable, Sendable {
  case start
  case success
  case failure
}

/// Where messages of a pull go. Its path or its query is often a secret: only the scheme and the host may be shown.
package struct NoticeURL: Equatable, Sendable {
  /// As curl gets it.
  package let text: String

  /// In bytes. With the message it must fit into a pipe: `ChildProcess.pipe`.
  package static let maximumSize = 1000

  /// - Returns: nil if it is none of HTTP, or too long.
  package init?(_ text: String) {
    let scheme = ["http://", "https://"].first { text.utf8.starts(with: $0.utf8) }
    guard let scheme, text.utf8.count <= Self.maximumSize,
      text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "#") }),
      let first = text.utf8.dropFirst(scheme.utf8.count).first, !"/?@:".utf8.contains(first)
    else { return nil }
    self.text = text
  }

  /// For messages: the scheme, the host and the port.
  package var shown: String {
    let parts = text.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    let authority = parts[2].prefix { $0 != "?" }
    return
      "\(parts[0])//\(authority.split(separator: "@", omittingEmptySubsequences: false).last ?? authority)"
  }

  /// The URL of a ping, as dead man's switches have it: `URL/start`, `URL`, `URL/fail`.
  ///
  /// Source: https://healthchecks.io/docs/http_api/
  package func pinging(_ event: PullEvent) -> String {
    let suffix =
      switch event {
      case .start: "/start"
      case .success: ""
      case .failure: "/fail"
      }
    guard !suffix.isEmpty else { return text }
    let path = text.prefix { $0 != "?" }
    let separator = path.utf8.last == UInt8(ascii: "/") ? suffix.dropFirst() : suffix[...]
    return "\(path)\(separator)\(text.dropFirst(path.count))"
  }
}
