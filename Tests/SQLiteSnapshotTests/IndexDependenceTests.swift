import System
import Testing

@testable import SQLiteSnapshot

/// Indexes that are not what this SQLite would make of their definitions.
struct IndexDependenceTests {
  private static let rows = "INSERT INTO t VALUES (1, 'b', 'X'), (2, 'B', 'y'), (3, '_', 'Z'), (4, 'a', NULL)"

  /// What is found of a table with an index whose definition was changed behind SQLite's back.
  ///
  /// - Parameter changed: the parts of the definition, as they are in the end.
  private func findings(
    _ table: String, _ index: String, _ made: String, _ changed: String
  ) throws -> DatabaseFindings {
    let scratch = try Scratch()
    let database = try TestDatabase(scratch.file("a.db"))
    try database.run("CREATE TABLE \(table); \(index); \(Self.rows)")
    let quoted = [made, changed].map { "'" + $0.replacing("'", with: "''") + "'" }.joined(separator: ", ")
    try database.run(
      "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, \(quoted)) WHERE name IN ('i', 'k', 't')"
    )
    return DatabaseContent.path(BytePath(scratch.file("a.db"))).findings(
      isThorough: true, CheckLimit(.seconds(60)))
  }

  private static let plain = "t(id INTEGER PRIMARY KEY, a, b)"

  /// A table, an index, a part of its definition, and what stands there in the end.
  static let doubted = [
    (plain, "CREATE INDEX i ON t(upper(a))", "upper", "lower"),
    (plain, "CREATE INDEX i ON t(a) WHERE upper(a) = 'B'", "upper", "lower"),
    (plain, "CREATE INDEX i ON t(a) WHERE a LIKE 'b'", "'b'", "'x'"),
    (plain, "CREATE INDEX i ON t(a COLLATE BINARY)", "BINARY", "NOCASE"),
    (plain, "CREATE INDEX i ON t(a) WHERE a = 'B' COLLATE BINARY", "BINARY", "NOCASE"),
    ("t(id INTEGER PRIMARY KEY, a COLLATE BINARY, b)", "CREATE UNIQUE INDEX i ON t(a)", "BINARY", "NOCASE"),
    (
      "t(id INTEGER PRIMARY KEY, a COLLATE BINARY, b)", "CREATE INDEX i ON t(b) WHERE a = 'b'", "BINARY",
      "NOCASE"
    ),
    ("t(id, a COLLATE BINARY PRIMARY KEY, b) WITHOUT ROWID", "", "BINARY", "NOCASE"),
  ]

  @Test(arguments: doubted)
  func `leaves unjudged what the application's own functions and collations may explain`(
    table: String, index: String, made: String, changed: String
  ) throws {
    let found = try findings(table, index, made, changed)
    #expect(found.fault == nil)
    #expect(found.unchecked.first?.contains("may be the application's own") == true)
  }

  static let damaged = [
    (plain, "CREATE INDEX i ON t(a)", "(a", "(b"),
    (plain, "CREATE INDEX i ON t(a DESC)", "DESC", "ASC"),
    (plain, "CREATE INDEX i ON t(a COLLATE NOCASE)", "(a", "(b"),
    (plain, "CREATE INDEX i ON t(upper(a), b)", "), b", "), a"),
    (plain, "CREATE INDEX i ON t(a || 'x')", "'x'", "'y'"),
    (plain, "CREATE INDEX i ON t(a) WHERE b IN ('X') AND (id > 0)", "'X'", "'y'"),
    (plain, "CREATE INDEX i ON t(upper(a)) WHERE b > ''", " WHERE b > ''", ""),
    (plain, "CREATE INDEX i ON t(a COLLATE NOCASE) WHERE b > ''", " WHERE b > ''", ""),
    ("t(id, a PRIMARY KEY, b) WITHOUT ROWID", "", "KEY", "KEY DESC"),
    (
      "t(id, a PRIMARY KEY, b) WITHOUT ROWID", "CREATE INDEX other ON t(b COLLATE NOCASE)", "KEY", "KEY DESC"
    ),
  ]

  @Test(arguments: damaged)
  func `finds damage that no function and no collation explains`(
    table: String, index: String, made: String, changed: String
  ) throws {
    #expect(try findings(table, index, made, changed).fault != nil)
  }

  @Test(arguments: [("libsql_vector_idx", false), ("\"LibSQL_vector_idx\"", false), ("another", true)])
  func `leaves an index unjudged whose entries libSQL keeps elsewhere`(function: String, isDamaged: Bool)
    throws
  {
    let found = try findings(
      Self.plain, "CREATE INDEX i ON t(b) WHERE a = 'none'", "(b) WHERE a = 'none'", "(\(function)(b, 'x'))")
    #expect((found.fault == "wrong # of entries in index i") == isDamaged)
    #expect(isDamaged || found.unchecked == ["what needs function \(function.filter { $0 != "\"" })"])
  }

  @Test func `finds damage beside what it leaves unjudged`() throws {
    let indexes = "CREATE INDEX i ON t(upper(a)); CREATE INDEX k ON t(a)"
    #expect(try findings(Self.plain, indexes, "a)", "b)").fault?.contains("index k") == true)
  }

  @Test(
    arguments: [
      ("t(a)", false), ("t(a, \"b\" DESC)", false), ("t(a) WHERE (a > 1) AND (b IN (1, 2))", false),
      ("t(a + 1 - (b))", false), ("t(CAST(a AS TEXT))", false), ("t(a) WHERE b = 'LIKE x('", false),
      ("t(lower(a))", true), ("t(\"lower\" (a))", true), ("t(a) WHERE b LIKE 'x'", true),
      ("t(a) WHERE b NOT /* */ glob 'x'", true), ("t(a -> '$')", true), ("t(a->>'$')", true),
    ])
  func `sees whether an index calls a function`(definition: String, calls: Bool) {
    #expect(SchemaStatement("CREATE UNIQUE INDEX i ON \(definition)")?.callsFunction == calls)
  }
}
