import CSQLite

extension DatabaseConnection {
  /// Copies the whole of `source` into this database, which is empty. Each step has a lock of its own, between two of which
  /// writers have their turn.
  ///
  /// The corresponding C functions are `sqlite3_backup_init`, `_step` and `_finish`.
  /// - Parameters:
  ///   - pagesPerStep: pages copied under one lock; -1 for all.
  ///   - observe: is asked under each lock, before and after the pages are copied, what the source is; nil if that cannot be told.
  /// - Returns: what the source was all the while; nil if it did not stay the same: then the copy is to be thrown away.
  /// - Throws: what SQLite says; what `observe` throws.
  func copy<State: Equatable>(
    from source: borrowing DatabaseConnection, pagesPerStep: Int32, observe: () throws(SQLiteError) -> State?
  ) throws(SQLiteError) -> State? {
    guard let backup = unsafe sqlite3_backup_init(handle, "main", source.handle, "main") else {
      throw unsafe SQLiteError(sqlite3_extended_errcode(handle), of: handle)
    }
    defer { unsafe sqlite3_backup_finish(backup) }
    var state: State?
    while true {
      if Task.isCancelled { throw SQLiteError(code: SQLITE_INTERRUPT, message: "called off") }
      // SQLite counts its attempts from zero for each statement: every lock is waited for by itself.
      source.busy.isWaiting = false
      try source.execute("BEGIN; PRAGMA schema_version")
      let before = try observe()
      let code = before == nil ? SQLITE_OK : unsafe sqlite3_backup_step(backup, pagesPerStep)
      let after = try observe()
      try source.execute("COMMIT")
      switch code {
      case SQLITE_DONE, SQLITE_OK: break
      // The copy cannot follow: it has pages of the former size already.
      case SQLITE_READONLY: return nil
      default: throw SQLiteError(code: code, message: unsafe String(cString: sqlite3_errstr(code)))
      }
      // SQLite itself starts again from the first page when another process has committed, but only then.
      guard let before, before == after, before == state ?? before else { return nil }
      state = before
      if code == SQLITE_DONE { return state }
    }
  }
}
