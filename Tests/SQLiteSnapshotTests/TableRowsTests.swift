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
      ("SELECT x'0001'", .passed), ("SELECT '0x0'", .passed), ("SELECT char(0)", .passed),
      ("SELECT 0.5", .passed),
      ("SELECT x''", .failed("row 1 is empty or 0")), ("SELECT ''", .failed("row 1 is empty or 0")),
      ("SELECT '0.0'", .failed("row 1 is empty or 0")), ("SELECT NULL", .failed("row 1 is empty or 0")),
      ("DELETE FROM t", .failed("it is not one statement that only reads")),
      ("SELECT 1; -- and /* no */ more;\n ", .passed),
      ("SELECT 1; SELECT 0", .failed("it is not one statement that only reads")),
      ("SELECT 1; SELECT a FROM nowhere", .failed("it is not one statement that only reads")),
      ("SELECT 1; DELETE FROM t", .failed("it is not one statement that only reads")),
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

  @Test func `a check is of no database whose schema this SQLite does not know`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    try TestDatabase(path).run(
      """
      PRAGMA journal_mode=DELETE; CREATE TABLE t(a); PRAGMA writable_schema=ON;
      UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a) FROBNICATE'
      """)
    let rows = try TableRows(of: BytePath(path), checks: ["SELECT count(*) FROM t"], CheckLimit(.seconds(60)))
    #expect(!rows.hasReadSchema)
    guard case .unsuited = rows.results.first else {
      Issue.record("\(rows.results)")
      return
    }
  }

  @Test func `the rows of an index's own bookkeeping are not counted`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    try TestDatabase(path).run(
      """
      PRAGMA journal_mode=DELETE; CREATE TABLE t(a); CREATE TABLE t_data(a); INSERT INTO t_data VALUES (1);
      CREATE VIRTUAL TABLE four USING fts4(a); CREATE VIRTUAL TABLE five USING fts5(a);
      CREATE VIRTUAL TABLE contentless USING fts5(a, content=''); CREATE VIRTUAL TABLE tree USING rtree(id, x0, x1);
      INSERT INTO four VALUES ('word'), ('other'); INSERT INTO five VALUES ('word');
      INSERT INTO contentless(rowid, a) VALUES (1, 'word'); INSERT INTO tree VALUES (1, 0, 1), (2, 2, 3)
      """)
    let rows = try TableRows(of: BytePath(path), checks: [], CheckLimit(.seconds(60)))
    #expect(
      rows.counts == [
        "t": 0, "t_data": 1, "four_content": 2, "four_docsize": 2, "five_content": 1, "five_docsize": 1,
        "contentless_docsize": 1, "tree_rowid": 2,
      ])
    #expect(rows.uncounted == [] && rows.hasReadSchema && rows.hasAllTables)
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
