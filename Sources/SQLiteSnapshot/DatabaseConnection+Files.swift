import CSQLite

/// The files that SQLite has open.
extension DatabaseConnection {
  /// The database file, as SQLite itself has it open. It lives as long as the connection.
  ///
  /// The corresponding C constant is `SQLITE_FCNTL_FILE_POINTER`.
  func databaseFile() throws(SQLiteError) -> VFSFile {
    try file(SQLITE_FCNTL_FILE_POINTER)
  }

  /// The write-ahead log of a connection in WAL mode that has read something.
  ///
  /// The corresponding C constant is `SQLITE_FCNTL_JOURNAL_POINTER`.
  func walFile() throws(SQLiteError) -> VFSFile {
    try file(SQLITE_FCNTL_JOURNAL_POINTER)
  }

  /// Whether the database's name leads to another file by now.
  ///
  /// The corresponding C constant is `SQLITE_FCNTL_HAS_MOVED`.
  func hasMoved() throws(SQLiteError) -> Bool {
    var hasMoved: Int32 = 0
    try unsafe check(sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &hasMoved))
    return hasMoved != 0
  }

  private func file(_ operation: Int32) throws(SQLiteError) -> VFSFile {
    var file: UnsafeMutablePointer<sqlite3_file>?
    try unsafe check(sqlite3_file_control(handle, "main", operation, &file))
    guard let file = unsafe file, let methods = unsafe file.pointee.pMethods else {
      throw SQLiteError(code: SQLITE_CANTOPEN, message: "SQLite has no file open")
    }
    return unsafe VFSFile(file, methods)
  }
}
