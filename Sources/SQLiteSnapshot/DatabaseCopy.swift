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
  let connection: Connection
  /// The database's own header: the Online Backup API writes counters of its own into the copy's.
  let header: [UInt8]
  /// SQLite's number of the state that the database was in when the copy was begun, or of an earlier one.
  let dataVersion: Int

  /// Copied under one lock: less than a millisecond of a writer's time.
  private static let stepSize = 1 << 20
  /// So often a copy is made step by step. When the database changes meanwhile, which every commit does, it is made again.
  private static let maximumStepwiseCopies = 4
  /// So often it is made under one lock then, of which all but the first are for a writer that does not see the lock.
  private static let maximumLockedCopies = 3

  /// What any write to a database changes.
  private struct State: Equatable {
    let header: [UInt8]
    let content: FileNames.Content?
    let hasLockFolder: Bool
  }

  /// - Parameters:
  ///   - byteCount: how large the database is; 0 for one without a page.
  ///   - names: those that `source` was opened by.
  /// - Throws: `unseen-writer` if the database changes under every lock; what SQLite says.
  init(
    of source: borrowing Connection, byteCount: UInt64, isInMemory: Bool, _ names: FileNames,
    _ options: Snapshot.Options
  ) throws(SQLiteError) {
    let file = try source.databaseFile()
    let pageSize = try source.number("PRAGMA page_size")
    let deadline = ContinuousClock.now + options.busyTimeout
    var hotJournal: SQLiteError?
    for attempt in 0..<Self.maximumStepwiseCopies + Self.maximumLockedCopies {
      // Waited for as any lock is.
      while try names.hasLockFolder(), .now < deadline, !Task.isCancelled { usleep(5_000) }
      if let time = try names.databaseContent()?.timeUntilTold() { usleep(time) }
      let dataVersion = try source.number("PRAGMA data_version")
      let copy =
        try isInMemory ? Self.memoryDatabase(byteCount) : Self.spool(byteCount, in: options.spoolDirectory)
      // The backup functions would make a page of a database that has none.
      guard byteCount > 0 else {
        connection = copy
        header = []
        self.dataVersion = dataVersion
        return
      }
      let isStepwise = attempt < Self.maximumStepwiseCopies
      var state: State?
      var isFirstLook = true
      do throws(SQLiteError) {
        state = try copy.copy(
          from: source, pagesPerStep: isStepwise ? Int32(max(1, Self.stepSize / pageSize)) : -1
        ) { () throws(SQLiteError) in
          if isFirstLook, let time = try names.databaseContent()?.timeUntilTold() {
            // It was written to just now, and a write that comes now might leave its time as it is. Under the lock that is
            // kept, none should come.
            if isStepwise { return nil }
            usleep(time)
            guard try names.databaseContent()?.timeUntilTold() == nil else { return nil }
          }
          if isFirstLook { names.dropCachedPages() }
          isFirstLook = false
          return State(
            header: try file.read(DatabaseHeader.size, at: 0).bytes, content: try names.databaseContent(),
            hasLockFolder: try names.hasLockFolder())
        }
        hotJournal = nil
      } catch  where error.reason == .hotJournal {
        // There was none when the database was opened: the writer has crashed since, or its lock is not seen.
        try source.execute("ROLLBACK")
        hotJournal = error
        usleep(5_000)
      }
      if let state, !state.hasLockFolder {
        connection = copy
        header = state.header
        self.dataVersion = dataVersion
        return
      }
    }
    if try names.hasLockFolder() { throw .lockFolder }
    throw hotJournal ?? .unseenWriter("the database file was written to under SQLite's lock")
  }

  /// An empty database in memory whose file can be read: that of the `memdb` VFS.
  private static func memoryDatabase(_ byteCount: UInt64) throws(SQLiteError) -> Connection {
    let connection = try Connection.scratch("file:sluice?vfs=memdb")
    // Its own limit is 1 GiB; ours is the budget. Room for what is added while the copy is made.
    try connection.limitSize(Int64(byteCount) * 2 + (64 << 20))
    return connection
  }

  /// An empty database in a file that has lost its name already, lest the copy should outlive this process.
  private static func spool(_ byteCount: UInt64, in directory: String) throws(SQLiteError) -> Connection {
    try requireRoom(for: byteCount, in: directory)
    let folder = try temporaryFolder(in: directory)
    defer { unsafe rmdir(folder) }
    let path = folder + "/copy.db"
    do throws(SQLiteError) {
      let copy = try Connection.scratch(path)
      let isRemoved = unsafe unlink(path) == 0
      let reason = errno
      guard isRemoved else {
        throw SQLiteError(
          code: SQLITE_CANTOPEN, message: "no name can be removed from \(directory): \(describe(reason))")
      }
      return copy
    } catch {
      unsafe unlink(path)
      throw error
    }
  }
}
