import CSQLite
import Testing

@testable import SQLiteSnapshot

struct SQLiteErrorTests {
  @Test(
    arguments: [
      (SQLITE_BUSY, .locked), (SQLITE_BUSY | 1 << 8, .locked), (SQLITE_LOCKED, .locked),
      (SQLITE_PROTOCOL, .locked), (SQLITE_PROTOCOL | 1 << 8, .unseenWriter),
      (SQLITE_READONLY | 3 << 8, .hotJournal), (SQLITE_READONLY, .permission),
      (SQLITE_READONLY | 5 << 8, .permission),
      (SQLITE_PERM, .permission), (SQLITE_AUTH, .permission), (SQLITE_CANTOPEN | 6 << 8, .symbolicLink),
      (SQLITE_CANTOPEN, .cannotOpen), (SQLITE_CANTOPEN | 2 << 8, .cannotOpen), (SQLITE_NOTADB, .notADatabase),
      (SQLITE_CORRUPT, .corrupt), (SQLITE_CORRUPT | 2 << 8, .corrupt), (SQLITE_FULL, .spoolFull),
      (SQLITE_NOMEM, .noMemory), (SQLITE_INTERRUPT, .cancelled), (SQLITE_IOERR, .inputOutput),
      (SQLITE_IOERR | 10 << 8, .inputOutput), (SQLITE_MISUSE, .inputOutput),
      (SQLiteError.encryptedOrForeign, .encryptedOrForeign),
      (SQLiteError.unsupportedFormat, .unsupportedFormat),
    ] as [(Int32, SQLiteError.Reason)])
  func `names the reason of a result code`(code: Int32, reason: SQLiteError.Reason) {
    let error = SQLiteError(code: code, message: "words")
    #expect(error.reason == reason)
    let isOurs = [.unseenWriter, .encryptedOrForeign, .unsupportedFormat].contains(reason)
    #expect(error.description == (isOurs ? "words" : "words (SQLite code \(code))"))
  }
}
