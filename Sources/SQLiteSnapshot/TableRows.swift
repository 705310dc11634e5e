import CSQLite
package import System

/// What is counted in a database that no other process uses, as one from outside: read-only, nothing in its schema is
/// trusted, and within a time.
package struct TableRows: Sendable {
  /// Rows by the table's name; without SQLite's own tables, without virtual ones, whose rows are in others, and without those in
  /// which the modules of virtual tables keep their books, which they shorten by themselves.
  package private(set) var counts: [String: Int] = [:]
  /// What could not be counted here, a part each: it needs what only the application has.
  package private(set) var uncounted: [String] = []
  /// The tables among that, and those of such books.
  package private(set) var uncountedTables: Set<String> = []
  /// Whether SQLite could read the schema at all.
  package private(set) var hasReadSchema = true
  /// Whether there were few enough to look at all of them.
  package private(set) var hasAllTables = true

  /// More tables are not counted.
  private static let maximumTables = 10_000

  /// Counts the rows of each table, and runs checks.
  ///
  /// - Parameters:
  ///   - path: of a database without WAL and journal.
  ///   - checks: statements of the administrator.
  ///   - limit: ends all of it.
  /// - Throws: `SQLiteError`; `SQLITE_INTERRUPT` at the limit.
  package init(
    of path: BytePath, checks: [String], _ limit: CheckLimit
  ) throws(SQLiteError) {
    let connection = try DatabaseConnection.untrusted(path)
    connection.install(limit)
    var tables: [String] = []
    do throws(SQLiteError) {
      try connection.forEach("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'") {
        if !Self.isOfRows(shadow: $0[0]) { uncountedTables.insert($0[0]) }
        return uncountedTables.count <= Self.maximumTables
      }
      try connection.forEach("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0") { row in
        if uncountedTables.contains(row[0]) { return true }
        if !row[0].utf8.starts(with: "sqlite_".utf8) { tables.append(row[0]) }
        return tables.count <= Self.maximumTables
      }
    } catch {
      guard error.isUnjudged else { throw error }
      uncounted.append("all tables: \(error.message)")
      hasReadSchema = false
    }
    if tables.count > Self.maximumTables {
      uncounted.append("all but \(Self.maximumTables) tables")
      hasAllTables = false
      tables.removeLast()
    }
    for table in tables {
      do throws(SQLiteError) {
        counts[table] = try connection.number("SELECT count(*) FROM \(SQLWords.quoted(table))")
      } catch {
        guard error.isUnjudged else { throw error }
        uncounted.append("table \(table): \(error.message)")
        uncountedTables.insert(table)
      }
    }
    for check in checks {
      // What reads nothing here because of a schema that only the application understands is judged no more than the tables are.
      results.append(hasReadSchema ? try connection.result(of: check) : .unsuited(uncounted[0]))
    }
  }

  /// Whether a table that belongs to a virtual one has a row for each of its rows: of FTS the content and the lengths, of the
  /// R-Tree the places.
  private static func isOfRows(shadow name: String) -> Bool {
    ["_content", "_docsize", "_rowid"].contains { name.utf8.suffix($0.utf8.count).elementsEqual($0.utf8) }
  }

  /// What a check says.
  package enum CheckResult: Equatable, Sendable {
    case passed
    /// Why not.
    case failed(String)
    /// The database has no such table or column: the check is of another one.
    case unsuited(String)
  }

  /// Of each check, in their order.
  package private(set) var results: [CheckResult] = []
}

extension DatabaseConnection {
  /// Runs a check: one statement that only reads. It passes if it returns a row, and no row has NULL, 0 or an empty text in
  /// its first column.
  fileprivate func result(of sql: String) throws(SQLiteError) -> TableRows.CheckResult {
    do throws(SQLiteError) {
      guard try isReadOnly(sql) else { return .failed("it is not one statement that only reads") }
    } catch {
      // SQLITE_ERROR before it runs: what it names is not there, or it is no SQL.
      guard error.code & 0xFF == SQLITE_ERROR else { throw error }
      // That table is there, and its module cannot open it.
      let isBroken = IntegrityMessage.begins(error.message, with: "vtable constructor failed: ")
      return isBroken ? .failed(error.message) : .unsuited(error.message)
    }
    do throws(SQLiteError) {
      var count = 0
      var isEmpty = false
      try forEachVerdict(sql) { isSomething in
        count += 1
        isEmpty = !isSomething
        return isSomething
      }
      if count == 0 { return .failed("it returns no row") }
      return isEmpty ? .failed("row \(count) is empty or 0") : .passed
    } catch {
      guard error.code & 0xFF != SQLITE_INTERRUPT else { throw error }
      return .failed("\(error)")
    }
  }
}
