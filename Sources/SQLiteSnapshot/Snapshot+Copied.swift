import CSQLite
import System

/// A database that was copied, and the state that it was in when the copy was begun.
struct CopiedDatabase: ~Copyable {
  let connection: DatabaseConnection
  /// SQLite's number of that state.
  let dataVersion: Int

  /// Whether nothing was committed since.
  func isUnchanged() -> Bool {
    connection.setBusyTimeout(.zero)
    return (try? connection.number("PRAGMA data_version")) == dataVersion
  }
}

extension Snapshot {
  /// Copies a database of which nothing is locked.
  ///
  /// - Parameter memory: what the copy may take; if it does not fit, it goes to the spool directory.
  convenience init(
    copying source: consuming DatabaseConnection, journalMode: String, _ names: FileNames, _ options: Options,
    _ memory: MemoryBudget
  ) throws(SQLiteError) {
    // With it on, SQLite takes a file that was cut short for all that there ever was.
    try source.execute("PRAGMA writable_schema=OFF")
    let sourcePageSize = try source.number("PRAGMA page_size")
    let byteCount = UInt64(try source.number("PRAGMA page_count")) * UInt64(sourcePageSize)
    let reservation = memory.reserve(byteCount)
    let copy = try DatabaseCopy(
      of: source, byteCount: byteCount, isInMemory: reservation != nil, names, options)
    let takenAt = FileSystem.now()
    // Between two steps nothing is locked, and at each SQLite looks for a WAL by its name.
    try names.checkDatabase()
    let file = try copy.connection.databaseFile()
    // A VACUUM may have changed it since the copy was begun, which the copy's connection does not notice.
    let pageSize = byteCount > 0 ? try Self.pageSize(of: file) : sourcePageSize
    let size = try file.size()
    guard size % UInt64(pageSize) == 0 else {
      throw SQLiteError(code: SQLITE_BUSY, message: "the page size was changed while it was copied")
    }
    let pages = SnapshotPages(
      in: file, pageSize: pageSize, pageCount: UInt32(size / UInt64(pageSize)), header: copy.header)
    let dataVersion = copy.dataVersion
    self.init(
      .copied, journalMode: journalMode, pages, copy.connection, names,
      source: CopiedDatabase(connection: source, dataVersion: dataVersion), reservation: reservation)
    self.takenAt = takenAt
  }

  private static func pageSize(of file: VFSFile) throws(SQLiteError) -> Int {
    guard let header = try DatabaseHeader(of: file), header.pageSize > 0 else {
      throw SQLiteError(code: SQLiteError.shortRead, message: "the copy could be read in part only")
    }
    return header.pageSize
  }

  /// What a copy would say of itself: nothing is copied, nothing stays locked, and `read` must not be called but for what
  /// `state` and `reservedByteCount` need.
  convenience init(
    describing source: consuming DatabaseConnection, journalMode: String, _ names: FileNames,
    _ options: Options
  ) throws(SQLiteError) {
    let deadline = ContinuousClock.now + options.busyTimeout
    while try names.hasLockFolder() {
      guard .now < deadline, !Task.isCancelled else { throw .lockFolder }
      FileSystem.pause()
    }
    try source.execute("BEGIN; PRAGMA schema_version")
    let file = try source.databaseFile()
    let pageCount = UInt32(try source.number("PRAGMA page_count"))
    let pages = try SnapshotPages(
      in: file, pageSize: source.number("PRAGMA page_size"), pageCount: pageCount,
      header: pageCount > 0 ? DatabaseHeader(of: file) : nil)
    let takenAt = FileSystem.now()
    try names.checkDatabase()
    try source.execute("COMMIT")
    self.init(.copied, journalMode: journalMode, pages, source, names)
    self.takenAt = takenAt
  }
}
