import System
import Testing

@testable import SQLiteSnapshot

/// Schemas that SQLite does not understand: damaged ones, and those of later versions.
struct SchemaRowsTests {
  private static let statements = [
    "CREATE TABLE t(name TEXT UNIQUE, b, FOREIGN KEY(b) REFERENCES \"the rest\"(a))",
    "CREATE TABLE \"the rest\"(a, PRIMARY KEY(a))", "CREATE INDEX i ON t(b COLLATE NOCASE DESC, name)",
    "CREATE UNIQUE INDEX 'an \"index' ON [the rest](a)",
    "CREATE INDEX \"some\" /* ON u */ ON t(b) WHERE b > 1",
    "CREATE VIEW v AS SELECT name FROM t",
    "CREATE TRIGGER g AFTER UPDATE OF \"b\" ON main.t BEGIN SELECT 1; END",
    "CREATE TRIGGER of_v INSTEAD OF INSERT ON v BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE words USING fts5(a)", "INSERT INTO t VALUES ('x', 1)",
  ]

  /// What is found once the schema was changed behind SQLite's back.
  private func findings(_ change: String) throws -> DatabaseFindings {
    let scratch = try Scratch()
    let database = try TestDatabase(scratch.file("a.db"))
    for statement in Self.statements { try database.run(statement) }
    if !change.isEmpty { try database.run("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET \(change)") }
    return DatabaseContent.path(BytePath(scratch.file("a.db"))).findings(
      isThorough: true, CheckLimit(.seconds(60)))
  }

  @Test func `finds no fault in a sound schema`() throws {
    let found = try findings("")
    #expect(found.fault == nil && found.unchecked.isEmpty)
  }

  /// The change, and a part of what is said.
  private static let damage = [
    ("sql = replace(sql, 'ON t', 'ON u') WHERE name = 'i'", "(i) - no such table: main.u"),
    ("sql = replace(sql, 'main.t', 'main.u') WHERE name = 'g'", "(g) - no such table: main.u"),
    ("sql = replace(sql, 'INDEX i', 'INDEX j') WHERE name = 'i'", "malformed database schema (i)"),
    ("name = 'j' WHERE name = 'i'", "malformed database schema (j)"),
    ("tbl_name = 'u' WHERE name = 'i'", "malformed database schema (i)"),
    ("sql = replace(sql, 'VIEW v', 'VIEW w') WHERE name = 'v'", "malformed database schema (v)"),
    ("rootpage = NULL WHERE name = 'v'", "malformed database schema (v)"),
    ("sql = replace(sql, 'UNIQUE', 'UNIQUF') WHERE name = 't'", "(sqlite_autoindex_t_1) - orphan index"),
    ("sql = replace(sql, 'ON t(b', 'ON t(c') WHERE name = 'i'", "(i) - no such column: c"),
    ("sql = replace(sql, '(a,', '(b,') WHERE name = 'the rest'", "(the rest) - no such column: a"),
    ("sql = replace(sql, ', b,', ', c,') WHERE name = 't'", "(t) - unknown column \"b\" in foreign key"),
    (
      "name = 't', tbl_name = 't', sql = replace(sql, '\"the rest\"', 't') WHERE name = 'the rest'",
      "(t) - table t already exists"
    ),
  ]

  @Test(arguments: damage)
  func `finds damage that no version of SQLite explains`(change: String, words: String) throws {
    let fault = try #require(try findings(change).fault)
    #expect(fault.contains(words))
  }

  @Test(
    arguments: [
      "sql = replace(sql, 'ON t', 'ON u') WHERE name = 'i'", "name = 'j' WHERE name = 'i'",
      "tbl_name = 'u' WHERE name = 'i'", "name = 'w' WHERE name = 'v'", "tbl_name = 'w' WHERE name = 'of_v'",
      "sql = replace(sql, 'main.t', 'main.u') WHERE name = 'g'", "name = 'u' WHERE name = 'words'",
      "tbl_name = 'u' WHERE name = 'sqlite_autoindex_t_1'",
      "sql = 'CREATE INDEX IF NOT EXISTS j ON t USING fts (b)' WHERE name = 'i'",
    ])
  func `finds it behind what a later version explains`(change: String) throws {
    let fault = try findings(
      change
        + "; UPDATE sqlite_schema SET sql = 'CREATE TABLE \"the rest\"(a OF SOME NEW KIND 5)' WHERE name = 'the rest'"
    ).fault
    #expect(
      fault?.hasSuffix("in the schema") == true || fault?.hasSuffix("in its statement") == true
        || fault?.hasSuffix("which the schema does not have") == true)
  }

  @Test(
    arguments: [
      "sql = 'CREATE TABLE t(a OF SOME NEW KIND 5)' WHERE name = 't'",
      "sql = 'CREATE INDEX i NEW t(b)' WHERE name = 'i'",
      "sql = 'CREATE NEW KIND OF INDEX i ON t(b)' WHERE name = 'i'",
      "sql = 'CREATE INDEX IF NOT EXISTS i ON t USING fts (b)' WHERE name = 'i'",
      "sql = 'CREATE INDEX i ON t(b) WHERE b = NEWLY' WHERE name = 'i'",
      "sql = 'CREATE INDEX i ON t(NEWLY + 1)' WHERE name = 'i'",
      "sql = 'CREATE TABLE \"the rest\"(a, b AS (NEWLY), PRIMARY KEY(a))' WHERE name = 'the rest'",
      "sql = 'CREATE TABLE \"the rest\"(a, PRIMARY KEY(a), NEW KIND, NEW KIND)' WHERE name = 'the rest'",
      "sql = 'CREATE TABLE \"the rest\"(a NEWTYPE PRIMARY KEY) STRICT' WHERE name = 'the rest'",
      "sql = replace(sql, 'INSTEAD OF', 'AFTER') WHERE name = 'of_v'",
    ])
  func `leaves a schema of a later version unjudged`(change: String) throws {
    let found = try findings(change)
    #expect(found.fault == nil)
    #expect(found.unchecked.first?.hasPrefix("malformed database schema") == true)
  }
}
