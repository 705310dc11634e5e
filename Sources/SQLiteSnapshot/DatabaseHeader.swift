import CSQLite
import System

/// The first 100 bytes of a database file.
///
/// https://www.sqlite.org/fileformat2.html §1.3.
package struct DatabaseHeader: Equatable {
  package static let magic = Array("SQLite format 3\0".utf8)
  static let size = 100
  /// In bytes.
  package static let maximumPageSize = 65536

  /// Where the fields stand.
  private enum Offset {
    static let pageSize = 16
    static let writeVersion = 18
    static let readVersion = 19
    static let reservedByteCount = 20
    static let changeCounter = 24
    static let pageCount = 28
    static let firstFreelistTrunk = 32
    static let freelistPageCount = 36
    static let schemaFormat = 44
    static let largestRootPage = 52
    static let textEncoding = 56
    static let reservedForExpansion = 72..<92
    static let versionValidFor = 92
  }

  /// "The file format read version", whose greatest is that of WAL mode.
  private static let walVersion: UInt8 = 2
  private static let rollbackVersion: UInt8 = 1
  /// "The text encoding": 1 to 3, or 0 in a database that has nothing in it.
  private static let textEncodings: ClosedRange<UInt32> = 0...3
  /// "The schema format number": 1 to 4, or 0 in a database that has nothing in it.
  private static let schemaFormats: ClosedRange<UInt32> = 0...4

  let bytes: [UInt8]

  /// - Parameter bytes: of the file, from its beginning.
  /// - Returns: nil if there are fewer than the header has.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= Self.size else { return nil }
    self.bytes = Array(bytes.prefix(Self.size))
  }

  /// Reads it; nil if the file is shorter.
  init?(of file: VFSFile) throws(SQLiteError) {
    let (bytes, isWhole) = try file.read(Self.size, at: 0)
    guard isWhole else { return nil }
    self.bytes = bytes
  }

  // MARK: fields

  /// Whether it begins as a database does.
  var hasMagic: Bool { bytes.starts(with: Self.magic) }

  /// In bytes. §1.3.2: 1 stands for 65536.
  var pageSize: Int {
    let size: UInt16 = bytes.bigEndian(at: Offset.pageSize)
    return size == 1 ? Self.maximumPageSize : Int(size)
  }

  /// §1.3.3.
  var isInWALMode: Bool {
    hasMagic && bytes[Offset.writeVersion] == Self.walVersion && bytes[Offset.readVersion] == Self.walVersion
  }

  /// How many bytes at the end of each page SQLite leaves to an extension: §1.3.4.
  var reservedByteCount: Int { Int(bytes[Offset.reservedByteCount]) }

  /// The size in pages; 0 if an old version of SQLite, which does not keep it, was the last to write. §1.3.7.
  var pageCount: UInt32 {
    field(Offset.changeCounter) == field(Offset.versionValidFor) ? field(Offset.pageCount) : 0
  }

  var firstFreelistTrunk: UInt32 { field(Offset.firstFreelistTrunk) }
  var freelistPageCount: UInt32 { field(Offset.freelistPageCount) }

  /// The largest root page of a database that can vacuum itself; 0 for any other. §1.3.12.
  var largestRootPage: UInt32 { field(Offset.largestRootPage) }

  /// As SQLite takes it, by two bits alone (prepare.c, `sqlite3InitOne`).
  var textEncoding: TextEncoding {
    switch field(Offset.textEncoding) & 3 {
    case 2: .utf16LittleEndian
    case 3: .utf16BigEndian
    default: .utf8
    }
  }

  private func field(_ offset: Int) -> UInt32 { bytes.bigEndian(at: offset) }

  // MARK: judging

  /// Refuses a header that is not SQLite's although its first bytes are.
  ///
  /// With `cipher_plaintext_header_size`, SQLCipher leaves the first 16 to 32 bytes as they are; all after
  /// them is as random. Two fields that both hold what they cannot, and bytes that are "reserved for expansion, must be
  /// zero", are no accident.
  /// - Throws: an error whose reason is `unsupportedFormat` or `encryptedOrForeign`.
  func check() throws(SQLiteError) {
    guard hasMagic else { return }
    guard bytes[Offset.readVersion] <= Self.walVersion else {
      throw SQLiteError(
        code: SQLiteError.unsupportedFormat,
        message:
          "its header gives format version \(bytes[Offset.readVersion]), which SQLite does not read: another engine's, "
          + "with a log of its own")
    }
    let isImpossible =
      !Self.schemaFormats.contains(field(Offset.schemaFormat))
      && !Self.textEncodings.contains(field(Offset.textEncoding))
      && bytes[Offset.reservedForExpansion].contains { $0 != 0 }
    guard !isImpossible else {
      throw SQLiteError(
        code: SQLiteError.encryptedOrForeign,
        message:
          "it begins as SQLite's databases do, and the rest of its header is not SQLite's: it may be encrypted"
      )
    }
  }

  /// Makes a database in WAL mode one with a rollback journal, for a place that has no WAL.
  static func setRollbackMode(in bytes: inout [UInt8]) {
    for offset in [Offset.writeVersion, Offset.readVersion]
    where bytes.count > offset && bytes[offset] == walVersion {
      bytes[offset] = rollbackVersion
    }
  }
}
