import CSQLite
import Glibc
import System

/// A copy of a database of one moment, in memory or in a file without a name.
///
/// A large database is read twice. First without a lock, while writers go on: what that gives may be torn, and decides nothing.
/// Then under SQLite's lock: every byte is compared with the copy's, and what differs is written. To compare takes a part of
/// the time that to write takes, and only for that time writers wait. A small one is read once, under the lock; if it changes
/// meanwhile, it is read again in the same two ways.
///
/// Where the file system can clone a file, a large database is not read at all: it is cloned under the lock.
///
/// Under SQLite's lock nothing of a database changes, but for a writer that does not see the lock (see `PinnedState`). So a
/// copy counts only if the database was the same under every lock that it was read under, and if no folder stood beside it
/// that is another writer's lock.
struct DatabaseCopy {
  private(set) var bytes: CopiedBytes
  private(set) var pageSize = 0
  private(set) var pageCount: UInt32 = 0
  /// SQLite's number of the state that the database was in when the copy was begun, or of an earlier one.
  private(set) var dataVersion = 0

  private var isReadAhead = false
  private var canClone = false
  private let names: FileNames
  private let options: Snapshot.Options
  private let memory: MemoryBudget

  /// From this size on, in bytes, a database is read before it is locked. All of a smaller one is read under the lock in a few
  /// hundredths of a second.
  package static let readAheadSize: UInt64 = 64 << 20
  /// Read by each thread under one lock, in blocks: about a millisecond of a writer's time.
  private static let blocksPerStep = 1
  /// So often a copy is made step by step. When the database changes meanwhile, which every commit does, it is made again.
  private static let maximumStepwiseCopies = 4
  /// So often it is made under one lock then, of which all but the first are for a writer that does not see the lock.
  private static let maximumLockedCopies = 3

  /// What any write to a database changes.
  private struct State: Equatable {
    let header: DatabaseHeader?
    let content: FileNames.Content?
    let hasLockFolder: Bool
  }

  /// Makes room for a copy.
  ///
  /// - Parameters:
  ///   - names: those that `source` was opened by.
  ///   - isLarge: whether it is worth a clone, for which all that was written to the database must be on the disk.
  /// - Throws: `SQLITE_FULL` if the spool has no room; what the system says of it.
  init(
    of source: borrowing DatabaseConnection, _ names: FileNames, _ options: Snapshot.Options,
    _ memory: MemoryBudget, isLarge: Bool = false
  ) throws(SQLiteError) {
    self.names = names
    self.options = options
    self.memory = memory
    let size = try source.databaseFile().size()
    // Of any moment: only whether there is one counts.
    if isLarge, let clone = names.cloneDatabase() {
      canClone = true
      bytes = CopiedBytes(clone: clone, byteCount: size)
    } else {
      bytes = try CopiedBytes(byteCount: size, options, memory)
    }
  }

  /// Reads all of the database without a lock.
  ///
  /// - Throws: `SQLITE_FULL`; `SQLITE_INTERRUPT`; what reading says.
  mutating func readAhead(
    _ source: borrowing DatabaseConnection, isNew: Bool = true, _ team: ThreadTeam
  ) throws(SQLiteError) {
    guard !canClone else { return }
    isReadAhead = true
    try CopyPass.update(bytes, from: source.databaseFile(), isNew: isNew, blocks: 0..<bytes.blockCount, team)
  }

  /// Makes it what the database is under SQLite's lock.
  ///
  /// - Throws: `unseen-writer` if the database changes under every lock; `becameWAL`; what SQLite says.
  mutating func settle(
    with source: borrowing DatabaseConnection, _ team: ThreadTeam
  ) throws(SQLiteError) {
    let deadline = ContinuousClock.now + options.busyTimeout
    var hotJournal: SQLiteError?
    if canClone {
      if try clone(source, until: deadline) { return }
      canClone = false
      bytes = try CopiedBytes(byteCount: source.databaseFile().size(), options, memory)
    }
    for attempt in 0..<Self.maximumStepwiseCopies + Self.maximumLockedCopies {
      if attempt > 0, !isReadAhead { try readAhead(source, isNew: false, team) }
      try waitUntilStill(until: deadline)
      do throws(SQLiteError) {
        let state = try update(
          from: source, isNew: !isReadAhead && attempt == 0, isStepwise: attempt < Self.maximumStepwiseCopies,
          team)
        hotJournal = nil
        if let state, !state.hasLockFolder { return }
      } catch  where error.reason == .hotJournal {
        // There was none when the database was opened: the writer has crashed since, or its lock is not seen.
        try source.execute("ROLLBACK")
        hotJournal = error
        FileSystem.pause()
      }
    }
    if let hotJournal { throw try FileNames.cause(ofHotJournal: hotJournal, of: names.path) }
    if try names.hasLockFolder() { throw .lockFolder }
    throw .unseenWriter("the database file was written to under SQLite's lock")
  }

  /// Makes it a clone of the database under SQLite's lock.
  ///
  /// - Returns: false if that was not possible, or the database did not stay the same.
  private mutating func clone(
    _ source: borrowing DatabaseConnection, until deadline: ContinuousClock.Instant
  ) throws(SQLiteError) -> Bool {
    try waitUntilStill(until: deadline)
    try source.beginReading(of: names.path)
    dataVersion = try source.number("PRAGMA data_version")
    guard try source.text("PRAGMA journal_mode") != "wal" else { throw .becameWAL }
    var state: State?
    var clone: UnlinkedFile?
    if try isTold(isStepwise: false) {
      let file = try source.databaseFile()
      names.dropCachedPages()
      state = try look(at: file)
      pageSize = try source.number("PRAGMA page_size")
      pageCount = UInt32(try source.number("PRAGMA page_count"))
      clone = names.cloneDatabase()
      if try look(at: file) != state { state = nil }
    }
    try source.execute("COMMIT")
    guard let clone, let state, !state.hasLockFolder else { return false }
    bytes = CopiedBytes(clone: clone, byteCount: UInt64(pageCount) * UInt64(pageSize))
    return true
  }

  /// Waits for a lock folder as for any lock, and then until a write would be told from the last by its time.
  private func waitUntilStill(until deadline: ContinuousClock.Instant) throws(SQLiteError) {
    while try names.hasLockFolder(), .now < deadline, !Task.isCancelled { FileSystem.pause() }
    if let time = try names.databaseContent()?.timeUntilTold() { usleep(time) }
  }

  /// - Parameters:
  ///   - isNew: whether nothing of it has been read yet.
  ///   - isStepwise: whether each step has a lock of its own, between two of which writers have their turn.
  /// - Returns: what the database was all the while; nil if that did not stay the same, or cannot be told.
  private mutating func update(
    from source: borrowing DatabaseConnection, isNew: Bool, isStepwise: Bool, _ team: ThreadTeam
  ) throws(SQLiteError) -> State? {
    let file = try source.databaseFile()
    var state: State?
    var blocks = 0..<0
    repeat {
      // SQLite counts its attempts from zero for each statement: every lock is waited for by itself.
      source.busy.isWaiting = false
      try source.beginReading()
      // SQLite looks for a WAL by its name at each lock.
      guard try source.text("PRAGMA journal_mode") != "wal" else { throw .becameWAL }
      if state == nil {
        guard try isTold(isStepwise: isStepwise) else {
          try source.execute("COMMIT")
          return nil
        }
        dataVersion = try source.number("PRAGMA data_version")
        names.dropCachedPages()
      }
      let before = try look(at: file)
      if state == nil {
        try measure(source)
        guard isMeasured(by: before) else {
          try source.execute("COMMIT")
          return nil
        }
      }
      let last = isStepwise ? blocks.upperBound + team.count * Self.blocksPerStep : .max
      blocks = blocks.upperBound..<min(last, bytes.blockCount)
      try CopyPass.update(bytes, from: file, isNew: isNew, blocks: blocks, team)
      let after = try look(at: file)
      try source.execute("COMMIT")
      guard before == after, before == state ?? before else { return nil }
      state = before
    } while blocks.upperBound < bytes.blockCount
    return state
  }

  /// Whether a write to the database that comes from now on changes its time. Under the lock that is kept, none should come:
  /// it is waited until that is so.
  private func isTold(isStepwise: Bool) throws(SQLiteError) -> Bool {
    guard let time = try names.databaseContent()?.timeUntilTold() else { return true }
    guard !isStepwise else { return false }
    usleep(time)
    return try names.databaseContent()?.timeUntilTold() == nil
  }

  private func look(at file: VFSFile) throws(SQLiteError) -> State {
    State(
      header: try DatabaseHeader(of: file), content: try names.databaseContent(),
      hasLockFolder: try names.hasLockFolder())
  }

  /// Whether SQLite has the size from the header that was looked at. On a file system that two kernels, or two caches, write to, its
  /// own look may have met an older page 1.
  private func isMeasured(by state: State) -> Bool {
    guard let header = state.header, header.pageCount != 0 else { return true }
    return header.pageCount == pageCount && header.pageSize == pageSize
  }

  /// Gives the copy the size that the database has under the lock: it may have grown, shrunk or got other pages.
  private mutating func measure(_ source: borrowing DatabaseConnection) throws(SQLiteError) {
    pageSize = try source.number("PRAGMA page_size")
    pageCount = UInt32(try source.number("PRAGMA page_count"))
    try bytes.resize(to: UInt64(pageCount) * UInt64(pageSize), options, memory)
  }
}
