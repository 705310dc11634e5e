import CSQLite
import System
import Testing

@testable import SQLiteSnapshot

@Suite(.timeLimit(.minutes(15)))
struct DatabaseConnectionTests {
  @Test(arguments: [("wal", "WAL"), ("delete", "DELETE")])
  func `reads, and cannot write`(name: String, mode: String) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, journalMode: mode)
    let connection = try DatabaseConnection.reading(path, busyTimeout: .zero)
    #expect(try connection.text("PRAGMA journal_mode") == name)
    #expect(try connection.number("SELECT count(*) FROM account") == 100)
    #expect(try connection.text("SELECT 1 WHERE 0") == "")
    for statement in ["DELETE FROM account", "CREATE TABLE t(x)", "PRAGMA user_version=3"] {
      let error = #expect(throws: SQLiteError.self) { try connection.execute(statement) }
      #expect(error?.code == SQLITE_READONLY)
    }
    #expect(try database.number("SELECT count(*) FROM account") == 100)
  }

  @Test func `gives SQLite's own words`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE")
    let connection = try DatabaseConnection.reading(path, busyTimeout: .zero)
    let error = #expect(throws: SQLiteError.self) { try connection.execute("SELECT * FROM nobody") }
    #expect(error == SQLiteError(code: SQLITE_ERROR, message: "no such table: nobody"))
  }

  @Test func `a database without a log has no log file`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, journalMode: "DELETE")
    let connection = try DatabaseConnection.reading(path, busyTimeout: .zero)
    _ = try connection.number("PRAGMA schema_version")
    let error = #expect(throws: SQLiteError.self) { _ = try connection.walFile() }
    #expect(error?.reason == .cannotOpen)
    #expect(try connection.databaseFile().size() == UInt64(database.serialized().count))
  }
}
