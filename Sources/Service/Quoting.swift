extension String {
  /// Between quotation marks, with a backslash before each one in it and before each backslash.
  ///
  /// By bytes: a mark that a combining character follows is another Character, and the same byte to whatever reads it.
  package var quoted: String {
    let bytes = utf8.flatMap {
      $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") ? [UInt8(ascii: "\\"), $0] : [$0]
    }
    return "\"\(String(decoding: bytes, as: UTF8.self))\""
  }
}
