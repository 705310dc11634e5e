import System

/// One member as it is known before its bytes are.
package struct ZipEntry: Sendable {
  /// The member's path in the archive: relative, its components parted by `/`.
  package var name: String
  /// When the data was last changed, in seconds since 1970, UTC.
  package var modified: Int64
  /// The Unix permission bits, such as `0o644`. The member is always a regular file.
  package var permissions: UInt16
  /// How many bytes of data there are. Exactly so many must be added to the ``ZipWriter``.
  package var size: UInt64

  /// Describes a member. Its name is checked by ``checkName()``, which ``ZipWriter`` calls.
  package init(name: String, modified: Int64, permissions: UInt16, size: UInt64) {
    self.name = name
    self.modified = modified
    self.permissions = permissions
    self.size = size
  }

  /// The greatest size taken: 256 TiB, just above the largest database that SQLite allows
  /// (https://www.sqlite.org/limits.html), and low enough that no sum of sizes can overflow.
  static let maximumSize: UInt64 = 1 << 48

  /// The greatest length of a name in bytes: its length is a two-byte field. APPNOTE 4.4.10.
  static let maximumNameLength = 0xffff

  /// Refuses a name that an unpacking program could be led astray by.
  ///
  /// - Throws: ``ZipError/unsafeName(_:_:)`` with what is wrong with it.
  ///
  /// APPNOTE 4.4.17.1: "The path stored MUST NOT contain a drive or device letter, or a leading slash. All slashes
  /// MUST be forward slashes".
  package func checkName() throws(ZipError) {
    if let fault = nameFault { throw .unsafeName(name, fault) }
  }

  private var nameFault: ZipError.NameFault? {
    if name.isEmpty { return .empty }
    if name.utf8.count > Self.maximumNameLength { return .tooLong }
    if name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
      return .controlCharacter
    }
    let path = BytePath(name)
    if path.bytes.contains(UInt8(ascii: "\\")) { return .backslash }
    if path.isAbsolute { return .absolute }
    let start = path.bytes.prefix(2)
    if start.count == 2, start.last == UInt8(ascii: ":"), start.first.map(Self.isLetter) == true {
      return .driveLetter
    }
    for component in path.components {
      if component.isEmpty { return .emptyComponent }
      if component == "." || component == ".." { return .dotComponent }
    }
    return nil
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    // Bit 5 is all that sets a lower-case ASCII letter apart from its capital.
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }
}
