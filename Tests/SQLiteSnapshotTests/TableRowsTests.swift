import Foundation
import System
import Testing

@testable import SQLiteSnapshot

/// What the checks of a drill say.
struct TableRowsTests {
  private func result(of check: String, _ limit: Duration = .seconds(60)) throws -> TableRows.CheckResult? {
    let scratch = try Scratch()
    let database = try TestDatabase(scratch.file("a.db"))
    try database.run(
      """
      PRAGMA page_size=512; PRAGMA journal_mode=DELETE; CREATE TABLE long(content);
      INSERT INTO long VALUES (zeroblob(3000)); CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'x');
      CREATE VIRTUAL TABLE words USING fts5(a); PRAGMA writable_schema=ON;
      DELETE FROM sqlite_schema WHERE name = 'words_config'
      """)
    // The overflow chain of the long value ends on its first page.
    let file = try FileHandle(forUpdating: URL(filePath: scratch.file("a.db")))
    try file.seek(toOffset: 2 * 512)
    try file.write(contentsOf: [UInt8](repeating: 0, count: 4))
    try file.close()
    return try TableRows(of: BytePath(scratch.file("a.db")), checks: [check], CheckLimit(limit)).results.first
  }

  @Test(
    arguments: [
      ("SELECT count(*) FROM t", .passed),
      ("SELECT count(*) - 1 FROM t", .failed("row 1 is empty or 0")),
      ("SELECT b FROM t WHERE a = 2", .failed("it returns no row")),
      ("DELETE FROM t", .failed("it is no statement that only reads")),
      ("SELECT a FROM nowhere", .unsuited("no such table: nowhere")),
      ("SELECT c FROM t", .unsuited("no such column: c")),
      ("SELECT FROM", .unsuited("near \"FROM\": syntax error")),
      ("SELECT json_extract(b, '$') FROM t", .failed("malformed JSON (SQLite code 1)")),
      ("SELECT abs(-9223372036854775808)", .failed("integer overflow (SQLite code 1)")),
      ("SELECT hex(content) FROM long", .failed("database disk image is malformed (SQLite code 11)")),
      ("SELECT count(*) FROM words", .failed("vtable constructor failed: words")),
    ] as [(String, TableRows.CheckResult)])
  func `a check that cannot run to its end has not passed, and is of no other database`(
    check: String, expected: TableRows.CheckResult
  ) throws {
    #expect(try result(of: check) == expected)
  }

  @Test func `the limit ends a check`() throws {
    let error = #expect(throws: SQLiteError.self) {
      try result(
        of: "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c",
        .milliseconds(300))
    }
    #expect(error?.reason == .cancelled)
  }
}
