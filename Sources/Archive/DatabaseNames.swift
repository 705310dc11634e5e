import SQLiteSnapshot
package import System

/// What names say of databases: those that they customarily have, and those of the files that belong to one.
package enum DatabaseNames {
  /// The endings that applications customarily give to databases. SQLite itself asks for none.
  private static let endings: [BytePath] = [
    ".db", ".db3", ".sqlite", ".sqlite3", ".s3db", ".sl3", ".duckdb",
  ]

  /// The same as text, for a journal.
  package static let companionSuffixes = CompanionFile.suffixes.map(\.lossyString)

  /// What other engines append to a database's name for their log: DuckDB `.wal`, Turso `-log`.
  private static let foreignLogSuffixes: [BytePath] = [".wal", "-log"]

  /// Whether a name, or a path, ends as that of a database customarily does.
  package static func isCustomary(_ path: BytePath) -> Bool { endings.contains { path.hasSuffix($0) } }

  /// Whether a name is that of a wal-index, which nothing but SQLite may open.
  package static func hasShmSuffix(_ path: BytePath) -> Bool { path.hasSuffix(CompanionFile.shm) }

  /// The name of the database that a file belongs to, if its own name is that of a WAL, a wal-index or a journal.
  package static func database(ofCompanion path: BytePath) -> BytePath? {
    for suffix in CompanionFile.suffixes {
      if let database = path.removing(suffix: suffix) { return database }
    }
    return nil
  }

  /// The paths at which an engine keeps what it has not yet written to a database's own file.
  ///
  /// LiteDB puts `-log` before the ending: `data.db` has `data-log.db`.
  package static func logs(of path: BytePath) -> [BytePath] {
    var logs = ([CompanionFile.wal, CompanionFile.journal] + foreignLogSuffixes).map { path + $0 }
    for ending in endings {
      if let stem = path.removing(suffix: ending) { logs.append(stem + "-log" + ending) }
    }
    return logs
  }
}
