import CSQLite
import System
import Testing

@testable import SQLiteSnapshot

@Suite(.timeLimit(.minutes(5)))
struct DatabaseConnectionTests {
  @Test func `a copy counts if the database was the same under each of its locks`() async throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE", byteCount: 8_000_000)
    let writer = try OtherProcess()
    try writer.tell("transfer_for_ever('\(path)', 5, 0)")
    #expect(try writer.answer() == "\"ready\"")
    for _ in 0..<2 {
      let source = try DatabaseConnection.reading(path, busyTimeout: .seconds(60))
      let header = { () throws(SQLiteError) in try source.databaseFile().read(100, at: 0).bytes }
      // Page by page, a writer always comes between.
      let stepwise = try DatabaseConnection.scratch("file:copy?vfs=memdb")
      #expect(try stepwise.copy(from: source, pagesPerStep: 1, observe: header) == nil)
      let copy = try DatabaseConnection.scratch("file:copy?vfs=memdb")
      #expect(
        try copy.copy(from: source, pagesPerStep: -1, observe: header)?.prefix(15)
          == Array("SQLite format 3".utf8)[...])
      #expect(try copy.number("SELECT sum(balance) FROM account") == Bank.total)
      #expect(try copy.text("PRAGMA integrity_check") == "ok")
    }
  }

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
    let connection = try DatabaseConnection.scratch("file:words?vfs=memdb")
    let error = #expect(throws: SQLiteError.self) { try connection.execute("SELECT * FROM nobody") }
    #expect(error == SQLiteError(code: SQLITE_ERROR, message: "no such table: nobody"))
  }

  @Test func `an in-memory database has a limit of its own`() throws {
    let connection = try DatabaseConnection.scratch("file:limit?vfs=memdb")
    try connection.limitSize(100_000)
    try connection.execute("CREATE TABLE t(x)")
    let error = #expect(throws: SQLiteError.self) {
      try connection.execute("INSERT INTO t VALUES (zeroblob(200000))")
    }
    #expect(error?.reason == .spoolFull)
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
