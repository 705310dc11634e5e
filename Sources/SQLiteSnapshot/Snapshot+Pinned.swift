import CSQLite
import Glibc
package import System

/// What holds a pinned database.
struct Pin {
  let file: VFSFile
  let walFile: VFSFile?
  let walSizeWhenPinned: UInt64
  let pageCountInDatabase: UInt32
  /// What must stay as it is for as long as the database is pinned; nil on a file system that no process can change.
  var state: PinnedState?
  /// Of a database on such a file system; nil of any other.
  let immutableContent: FileNames.Content?
  /// What holds it in the place of a transaction, where that would cost writers more.
  var readMark: ReadMark?
}

extension Snapshot {
  /// So often a pinned state is found out again that a write to the database file may have passed by unnoticed.
  private static let settlingAttempts = 3

  /// Finds out where the pinned pages are: in the WAL up to its last commit, else in the database file.
  ///
  /// The read lock keeps a checkpoint from writing past the pinned mark and the WAL from being restarted, so
  /// every frame that the scan sees stays, and pages without a frame do not change in the database. A commit
  /// that came between the pin and the scan is a later cut, and as good.
  ///
  /// In one case the WAL can be restarted all the same: when the pin found it wholly checkpointed, and no `ReadMark` could be
  /// had (read mark 0, https://www.sqlite.org/walformat.html §2.3.1). Then the database file alone is the snapshot: see
  /// `PinnedState`.
  convenience init(
    pinning connection: consuming DatabaseConnection, _ names: FileNames
  ) throws(SQLiteError) {
    // The first read takes the snapshot. This one needs no schema, so a damaged schema does not matter.
    try connection.execute("BEGIN; PRAGMA schema_version")
    let pageSize = try connection.number("PRAGMA page_size")
    let (file, walFile) = (try connection.databaseFile(), try connection.walFile())
    let state = try PinnedState(file, walFile, names, pageSize: pageSize)
    let takenAt = FileSystem.now()
    var pin = Pin(
      file: file, walFile: walFile, walSizeWhenPinned: try walFile.size(),
      pageCountInDatabase: try Self.pageCount(of: connection, in: file), state: state,
      immutableContent: nil)
    let pages = try Self.pages(in: file, under: walFile, state, pin, pageSize: pageSize)
    if state.isInDatabase, let mark = try ReadMark.take(file, atLastFrameOf: state.index) {
      do { try connection.execute("COMMIT") } catch {
        mark.release()
        throw error
      }
      pin.readMark = mark
    }
    connection.releaseMemory()
    self.init(.pinned, journalMode: "wal", pages, connection, names, pin: pin)
    self.takenAt = takenAt
    try checkHold()
  }

  /// Reads a database on a file system that no process can change: there is no WAL, and the file is the snapshot.
  convenience init(
    immutable connection: consuming DatabaseConnection, _ names: FileNames
  ) throws(SQLiteError) {
    let file = try connection.databaseFile()
    let pageCount = try Self.pageCount(of: connection, in: file)
    let pin = Pin(
      file: file, walFile: nil, walSizeWhenPinned: 0, pageCountInDatabase: pageCount, state: nil,
      immutableContent: try names.databaseContent())
    let pages = try SnapshotPages(
      in: file, pageSize: connection.number("PRAGMA page_size"), pageCount: pageCount)
    try pages.checkFileSize()
    self.init(.pinned, journalMode: "wal", pages, connection, names, pin: pin)
  }

  /// What the database file has, or says that it has if it was cut short: SQLite takes such a one for all that there ever was
  /// while `writable_schema` is on.
  private static func pageCount(
    of connection: borrowing DatabaseConnection, in file: VFSFile
  ) throws(SQLiteError) -> UInt32 {
    max(UInt32(try connection.number("PRAGMA page_count")), try DatabaseHeader(of: file)?.pageCount ?? 0)
  }

  private static func pages(
    in file: VFSFile, under walFile: VFSFile, _ state: PinnedState, _ pin: Pin, pageSize: Int
  ) throws(SQLiteError) -> SnapshotPages {
    // An index that was made for an empty WAL does not know the database's size; nor can it change then.
    let pageCount = state.wal.pageCount > 0 ? state.wal.pageCount : pin.pageCountInDatabase
    let pages = SnapshotPages(
      in: file, pageSize: pageSize, pageCount: pageCount, under: walFile, state.overlay)
    try pages.checkFileSize()
    return pages
  }

  func settle() throws(SQLiteError) {
    for _ in 0..<Self.settlingAttempts {
      guard let pin, let before = pin.state, !before.isSettled, let walFile = pin.walFile else { return }
      usleep(try before.timeUntilSettled(names))
      let state = try PinnedState(pin.file, walFile, names, pageSize: pageSize)
      if state.wal.commit != before.wal.commit { takenAt = FileSystem.now() }
      self.pin?.state = state
      pages = try Self.pages(in: pin.file, under: walFile, state, pin, pageSize: pageSize)
    }
  }

  /// Whether every process that opens the database still meets the pin, as far as its files' names and their content tell: to
  /// be asked once all has been read, which counts only then, and now and then before. A copy is this process's alone.
  ///
  /// - Throws: `SQLITE_READONLY_DBMOVED` if a name leads elsewhere; `unseen-writer` if something was written that the pin
  ///   forbids.
  package func checkHold() throws(SQLiteError) {
    guard let pin else { return }
    try names.check()
    if let state = pin.state, let walFile = pin.walFile {
      defer { pin.file.dropSharedMemoryPages() }
      try state.check(pin.file, walFile, names)
    } else if try names.databaseContent() != pin.immutableContent {
      throw SQLiteError.unseenWriter("its file system was read-only when it was opened, and is not any more")
    }
  }

  // MARK: the WAL

  /// By how many bytes the WAL has grown since the database was pinned; 0 for a copy, which holds no writer up.
  package func walGrowth() throws(SQLiteError) -> UInt64 {
    guard let pin, let size = try pin.walFile?.size(), size > pin.walSizeWhenPinned else { return 0 }
    return size - pin.walSizeWhenPinned
  }

  /// How much room the WAL's file system has; nil for a copy, and where the file system does not say.
  package func walSpace() -> FileSystemSpace? {
    pin?.walFile == nil ? nil : FileSystemSpace(of: names.path)
  }

  /// Whether the WAL holds rows that the database file lacks, and no other process has the database open: then no process
  /// moves them there once the snapshot is released. So it is when its application has closed the database meanwhile:
  /// SQLite's last connection does that, and the snapshot's was open still.
  ///
  /// - Returns: nil if it cannot be found out.
  package func leavesWAL() -> Bool? {
    guard let pin, pin.state != nil else { return false }
    guard let index = try? WALIndexHeader(of: pin.file), let size = try? names.walContent()?.size else {
      return nil
    }
    guard size > 0, index.frameCount > index.backfilledCount else { return false }
    return names.isLockedElsewhere().map { !$0 }
  }

  /// Whether a checkpoint is under way. One that has been for long waits for a reader, this one for instance. No checkpoint
  /// waits for a copy.
  package func isBeingCheckpointed() throws(SQLiteError) -> Bool {
    guard let pin, pin.state != nil else { return false }
    return try pin.file.isLocked(PinnedState.checkpointLock)
  }
}
