import CSQLite
import System

/// The first 100 bytes of a database file, as far as they tell whether SQLite wrote them.
///
/// https://www.sqlite.org/fileformat2.html §1.3.
struct DatabaseHeader {
  static let magic = Array("SQLite format 3\0".utf8)
  static let size = 100
  /// "The file format read version", whose greatest is that of WAL mode.
  private static let greatestReadVersion = 2
  /// "The text encoding": 1 to 3, or 0 in a database that has nothing in it.
  private static let textEncodings: ClosedRange<UInt32> = 0...3
  /// "The schema format number": 1 to 4, or 0 in a database that has nothing in it.
  private static let schemaFormats: ClosedRange<UInt32> = 0...4

  private let bytes: [UInt8]

  /// Reads it; nil if the file is shorter, or does not begin as a database does.
  init?(of file: OpenFile) throws(SQLiteError) {
    let (bytes, isWhole) = try file.read(Self.size, at: 0)
    guard isWhole, bytes.starts(with: Self.magic) else { return nil }
    self.bytes = bytes
  }

  /// Refuses a header that is not SQLite's although its first bytes are.
  ///
  /// SQLCipher leaves the first 16 to 32 bytes as they are if it is told to (`cipher_plaintext_header_size`); all after
  /// them is as random. Two fields that both hold what they cannot, and bytes that are "reserved for expansion, must be
  /// zero", are no accident.
  /// - Throws: an error whose reason is `unsupportedFormat` or `encryptedOrForeign`.
  func check() throws(SQLiteError) {
    guard bytes[19] <= Self.greatestReadVersion else {
      throw SQLiteError(
        code: SQLiteError.unsupportedFormat,
        message:
          "its header gives format version \(bytes[19]), which SQLite does not read: another engine's, with a log of "
          + "its own")
    }
    let isImpossible =
      !Self.schemaFormats.contains(word(at: 44)) && !Self.textEncodings.contains(word(at: 56))
      && bytes[72..<92].contains { $0 != 0 }
    guard !isImpossible else {
      throw SQLiteError(
        code: SQLiteError.encryptedOrForeign,
        message:
          "it begins as SQLite's databases do, and the rest of its header is not SQLite's: it may be encrypted"
      )
    }
  }

  private func word(at offset: Int) -> UInt32 {
    bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }
}
