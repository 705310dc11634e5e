/// The name of a place: a repository's URL, or a remote of rclone.
package enum PlaceName {
  /// Without what stands before `@` in its authority, if that has a password, and without the values of the parameters
  /// of a remote.
  package static func withoutPassword(_ text: String) -> String {
    let text = withoutValues(text)
    guard let start = text.firstRange(of: "://")?.upperBound else { return text }
    let end = text[start...].firstIndex(of: "/") ?? text.endIndex
    guard let at = text[start..<end].lastIndex(of: "@"), text[start..<at].contains(":") else { return text }
    return String(text[..<start] + text[text.index(after: at)...])
  }

  /// Each `,NAME=VALUE` with `…` as its value.
  ///
  /// Source: https://rclone.org/docs/#connection-strings
  private static func withoutValues(_ text: String) -> String {
    var shown = ""
    var rest = text[...]
    while let comma = rest.firstIndex(of: ",") {
      let name = rest[rest.index(after: comma)...].prefix {
        $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_")
      }
      shown += rest[..<name.endIndex]
      rest = rest[name.endIndex...]
      guard !name.isEmpty, rest.first == "=" else { continue }
      shown += "=…"
      rest = rest.dropFirst()
      // A mark that is doubled begins the value again, so that it belongs to it.
      while let mark = rest.first, "'\"".contains(mark) {
        rest = rest.dropFirst().drop { $0 != mark }.dropFirst()
      }
      rest = rest.drop { !",:".contains($0) }
    }
    return shown + rest
  }
}
