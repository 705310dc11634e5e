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
  /// - Parameter begun: what was read of it before.
  convenience init(
    copying source: consuming DatabaseConnection, _ begun: DatabaseCopy, journalMode: String,
    _ names: FileNames, _ team: ThreadTeam
  ) throws(SQLiteError) {
    var copy = begun
    try copy.settle(with: source, team)
    let takenAt = FileSystem.now()
    // Between two steps nothing is locked, and at each SQLite looks for a WAL by its name.
    try names.checkDatabase()
    let pages = SnapshotPages(copy.bytes, pageSize: copy.pageSize, pageCount: copy.pageCount)
    let dataVersion = copy.dataVersion
    self.init(
      .copied, journalMode: journalMode, pages, nil, names,
      source: CopiedDatabase(connection: source, dataVersion: dataVersion))
    self.takenAt = takenAt
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
    try source.beginReading(of: names.path)
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
