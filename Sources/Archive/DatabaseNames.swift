import System

/// What names say of databases: those that they customarily have, and those of the files that belong to one.
///
/// All names are bytes.
package enum DatabaseNames {
  /// The endings that applications customarily give to databases. SQLite itself asks for none.
  private static let endings = ["db", "db3", "sqlite", "sqlite3", "s3db", "sl3", "duckdb"].map { "." + $0 }

  /// What SQLite appends to a database's name: its WAL, the wal-index, the rollback journal.
  package static let companionSuffixes = ["-wal", "-shm", "-journal"]

  /// What other engines append to a database's name for their log: DuckDB `.wal`, Turso `-log`.
  private static let foreignLogSuffixes = [".wal", "-log"]

  /// Whether a name, or a path, ends as that of a database customarily does.
  package static func isCustomary(_ name: [UInt8]) -> Bool { endings.contains { ends(name, $0) } }

  /// Whether a name is that of a wal-index, which nothing but SQLite may open.
  package static func isSharedMemory(_ name: [UInt8]) -> Bool { ends(name, "-shm") }

  /// The name of the database that a file belongs to, if its own name is that of a WAL, a wal-index or a journal.
  package static func database(ofCompanion name: [UInt8]) -> [UInt8]? {
    for suffix in companionSuffixes where ends(name, suffix) { return name.dropLast(suffix.utf8.count) }
    return nil
  }

  /// The paths at which an engine keeps what it has not yet written to a database's own file.
  ///
  /// LiteDB puts `-log` before the ending: `data.db` has `data-log.db`.
  package static func logs(of path: String) -> [String] {
    var logs = (["-wal", "-journal"] + foreignLogSuffixes).map { path + $0 }
    for ending in endings where ends(path.bytes, ending) {
      logs.append(String(decoding: path.utf8.dropLast(ending.utf8.count), as: UTF8.self) + "-log" + ending)
    }
    return logs
  }

  private static func ends(_ name: [UInt8], _ suffix: String) -> Bool {
    name.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
  }
}
