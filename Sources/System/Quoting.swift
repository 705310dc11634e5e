// All of it goes by bytes: a mark that a combining character follows is another Character to Swift, and the same byte to
// whatever reads it.

extension String {
  /// Between quotation marks, with a backslash before each one in it and before each backslash.
  package var quoted: String { "\"\(escaping("\"\\"))\"" }

  /// As one word for a shell, whatever is in it.
  package var shellQuoted: String {
    let bytes = utf8.flatMap { $0 == UInt8(ascii: "'") ? Array("'\\''".utf8) : [$0] }
    return "'\(String(decoding: bytes, as: UTF8.self))'"
  }

  /// As one word in a unit's file, where `%` begins a specifier.
  ///
  /// systemd.syntax(7), "Quoting"; systemd.unit(5), "Specifiers".
  package var unitQuoted: String {
    let bytes = quoted.utf8.flatMap { $0 == UInt8(ascii: "%") ? [$0, $0] : [$0] }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// As the value of a variable in a file for `EnvironmentFile=`: systemd.exec(5).
  package var environmentQuoted: String { "\"\(escaping("\"\\$`"))\"" }

  /// With a backslash before each of these bytes.
  private func escaping(_ marks: StaticString) -> String {
    let marks = "\(marks)".utf8
    let bytes = utf8.flatMap { marks.contains($0) ? [UInt8(ascii: "\\"), $0] : [$0] }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// A line of sha256sum(1), which `sha256sum --check` reads.
package func checksumLine(_ digest: [UInt8], of path: String) -> String {
  // "a line is escaped if the file name contains": a name could otherwise look like two lines.
  let escapes: [UInt8: String] = [
    UInt8(ascii: "\\"): "\\\\", UInt8(ascii: "\n"): "\\n", UInt8(ascii: "\r"): "\\r",
  ]
  let isEscaped = path.utf8.contains { escapes[$0] != nil }
  let name = path.utf8.flatMap { byte in escapes[byte].map { Array($0.utf8) } ?? [byte] }
  return "\(isEscaped ? "\\" : "")\(digest.hexadecimal)  \(String(decoding: name, as: UTF8.self))\n"
}
