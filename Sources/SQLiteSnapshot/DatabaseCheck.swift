internal import CSQLite

/// Looks whether a database file that nobody else knows of is whole.
public enum DatabaseCheck {
  /// Runs `PRAGMA quick_check` on a file that may be hostile: read-only, without its locks, log and journal
  /// (`immutable`), and nothing in its schema is trusted.
  ///
  /// - Parameter path: absolute.
  /// - Returns: the first fault in SQLite's words; nil if there is none.
  /// - Throws: what SQLite says of a file that cannot be read at all.
  public static func quick(_ path: String) throws(SQLiteError) -> String? {
    let connection = try Connection.untrusted(path)
    let answer = try connection.text("PRAGMA quick_check(1)")
    return answer == "ok" ? nil : answer
  }
}
