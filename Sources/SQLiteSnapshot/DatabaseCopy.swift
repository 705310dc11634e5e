import CSQLite
import Glibc
import System

/// A copy of a database of one moment, in memory or in a file without a name.
///
/// Under SQLite's lock nothing of a database changes, but for a writer that does not see the lock (see `PinnedState`). So a
/// copy counts only if the database was the same under every lock that it was made under, and if no folder stood beside it
/// that is another writer's lock.
struct DatabaseCopy: ~Copyable {
  /// To the copy.
  let connection: DatabaseConnection
  /// The database's own header; nil if it has no page: the Online Backup API writes counters of its own into the copy's.
  let header: DatabaseHeader?
  /// SQLite's number of the state that the database was in when the copy was begun, or of an earlier one.
  let dataVersion: Int

  /// Copied under one lock: less than a millisecond of a writer's time.
  private static let stepSize = 1 << 20
  /// So often a copy is made step by step. When the database changes meanwhile, which every commit does, it is made again.
  private static let maximumStepwiseCopies = 4
  /// For `sqlite3_backup_step`: under one lock.
  private static let allPages: Int32 = -1
  /// So often it is made under one lock then, of which all but the first are for a writer that does not see the lock.
  private static let maximumLockedCopies = 3

  /// What any write to a database changes.
  private struct State: Equatable {
    let header: DatabaseHeader?
    let content: FileNames.Content?
    let hasLockFolder: Bool
  }

  /// - Parameters:
  ///   - byteCount: how large the database is; 0 for one without a page.
  ///   - names: those that `source` was opened by.
  /// - Throws: `unseen-writer` if the database changes under every lock; what SQLite says.
  init(
    of source: borrowing DatabaseConnection, byteCount: UInt64, isInMemory: Bool, _ names: FileNames,
    _ options: Snapshot.Options
  ) throws(SQLiteError) {
    let file = try source.databaseFile()
    let pageSize = try source.number("PRAGMA page_size")
    let deadline = ContinuousClock.now + options.busyTimeout
    var hotJournal: SQLiteError?
    for attempt in 0..<Self.maximumStepwiseCopies + Self.maximumLockedCopies {
      try Self.waitUntilStill(names, until: deadline)
      let dataVersion = try source.number("PRAGMA data_version")
      let copy =
        try isInMemory ? Self.memoryDatabase(byteCount) : Self.spool(byteCount, in: options.spoolDirectory)
      // The backup functions would make a page of a database that has none.
      guard byteCount > 0 else {
        connection = copy
        header = nil
        self.dataVersion = dataVersion
        return
      }
      let pagesPerStep =
        attempt < Self.maximumStepwiseCopies ? Int32(max(1, Self.stepSize / pageSize)) : Self.allPages
      do throws(SQLiteError) {
        let state = try Self.copy(source, file, into: copy, pagesPerStep: pagesPerStep, names)
        hotJournal = nil
        if let state, !state.hasLockFolder {
          connection = copy
          (header, self.dataVersion) = (state.header, dataVersion)
          return
        }
      } catch  where error.reason == .hotJournal {
        // There was none when the database was opened: the writer has crashed since, or its lock is not seen.
        try source.execute("ROLLBACK")
        hotJournal = error
        FileSystem.pause()
      }
    }
    if try names.hasLockFolder() { throw .lockFolder }
    throw hotJournal ?? .unseenWriter("the database file was written to under SQLite's lock")
  }

  /// Waits for a lock folder as for any lock, and then until a write would be told from the last by its time.
  private static func waitUntilStill(
    _ names: FileNames, until deadline: ContinuousClock.Instant
  ) throws(SQLiteError) {
    while try names.hasLockFolder(), .now < deadline, !Task.isCancelled { FileSystem.pause() }
    if let time = try names.databaseContent()?.timeUntilTold() { usleep(time) }
  }

  /// - Returns: what the database was all the while; nil if that did not stay the same, or cannot be told.
  private static func copy(
    _ source: borrowing DatabaseConnection, _ file: VFSFile, into copy: borrowing DatabaseConnection,
    pagesPerStep: Int32, _ names: FileNames
  ) throws(SQLiteError) -> State? {
    var isFirst = true
    return try copy.copy(from: source, pagesPerStep: pagesPerStep) { () throws(SQLiteError) in
      if isFirst, let time = try names.databaseContent()?.timeUntilTold() {
        // It was written to just now, and a write that comes now might leave its time as it is. Under the lock that is
        // kept, none should come.
        guard pagesPerStep == allPages else { return nil }
        usleep(time)
        guard try names.databaseContent()?.timeUntilTold() == nil else { return nil }
      }
      if isFirst { names.dropCachedPages() }
      isFirst = false
      return State(
        header: try DatabaseHeader(of: file), content: try names.databaseContent(),
        hasLockFolder: try names.hasLockFolder())
    }
  }

  /// An empty database in memory whose file can be read: that of the `memdb` VFS.
  private static func memoryDatabase(_ byteCount: UInt64) throws(SQLiteError) -> DatabaseConnection {
    let connection = try DatabaseConnection.scratch("file:sluice?vfs=memdb")
    // Its own limit is 1 GiB; ours is the budget. Room for what is added while the copy is made.
    try connection.limitSize(Int64(byteCount) * 2 + (64 << 20))
    return connection
  }

  /// An empty database in a file that has lost its name already, lest the copy should outlive this process.
  private static func spool(_ byteCount: UInt64, in directory: String) throws(SQLiteError)
    -> DatabaseConnection
  {
    try requireRoom(for: byteCount, in: directory)
    let folder = try temporaryFolder(in: directory)
    defer { FileSystem.removeDirectory(folder) }
    let path = folder.appending("copy.db")
    do throws(SQLiteError) {
      let copy = try DatabaseConnection.scratch(path)
      try removeName(path, in: directory)
      return copy
    } catch {
      try? FileSystem.remove(path)
      throw error
    }
  }
}
