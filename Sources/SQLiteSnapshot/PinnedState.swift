import CSQLite
import Glibc
import System

/// What no process that shares SQLite's locks can change while a database is pinned, as it was at the pin.
///
/// A process that does not share them (it opens the file below or above a FUSE mount, on another machine, or with locks of
/// its own) checkpoints as if there were no pin, and what is read then is of several commits. So the pin is compared with
/// the files while it is held, and once more when all has been read.
///
/// What SQLite may do under a pin, https://www.sqlite.org/walformat.html §2.3 and the checkpoint of its `wal.c`:
///
/// | the pin found | the WAL | the database file |
/// |---|---|---|
/// | every frame checkpointed, or none | may be restarted, unless a `ReadMark` is held | stays: no checkpoint has anything to write up to the mark, or the lock to write at all |
/// | frames that are not | may grow, and is not restarted | gets frames up to the mark, which the wal-index counts before the first and after the last |
struct PinnedState {
  /// Whether the database file alone is the snapshot.
  let isInDatabase: Bool
  /// As it was then.
  let index: WALIndexHeader
  /// As it was scanned up to the commit that the index names.
  let wal: WriteAheadLog
  private let pageSize: Int
  private let database: FileNames.Content?
  /// Whether every write to the database file since it was looked at changes its time: not so one that came just before or
  /// while the WAL was scanned.
  let isSettled: Bool
  private let header: DatabaseHeader?
  /// Whether a checkpoint may write to the database file without the index showing more of it than it does.
  private let mayWriteUnannounced: Bool

  /// `WAL_WRITE_LOCK`: walformat.html §2.3.
  private static let writeLock: Int32 = 0
  /// `WAL_CKPT_LOCK`: walformat.html §2.3.
  static let checkpointLock: Int32 = 1

  /// Finds out what is pinned.
  ///
  /// - Throws: `unseen-writer` if the WAL is none that its index knows; `SQLITE_CORRUPT`; what reading says.
  init(
    _ file: VFSFile, _ walFile: VFSFile, _ names: FileNames, pageSize: Int
  ) throws(SQLiteError) {
    let before = try Self.content(names)
    let isTold = before?.timeUntilTold() == nil
    names.dropCachedPages()
    let (index, wal) = try Self.scan(file, walFile, pageSize: pageSize)
    self.index = index
    self.wal = wal
    self.pageSize = pageSize
    isInDatabase = index.backfilledCount == index.frameCount
    database = try Self.content(names)
    isSettled = isTold && database == before
    header = isInDatabase ? try DatabaseHeader(of: file) : nil
    guard let now = try? WALIndexHeader(of: file), Self.isSameCheckpoint(now, index) else {
      mayWriteUnannounced = true
      return
    }
    // A checkpoint that has been announced may be under way.
    mayWriteUnannounced =
      try now.backfillAttempted != now.backfilledCount ? file.isLocked(Self.checkpointLock) : false
  }

  /// Nil if the database has no name left, which is no fault: `FileNames.check` throws if its name leads elsewhere.
  private static func content(_ names: FileNames) throws(SQLiteError) -> FileNames.Content? {
    if let content = try names.databaseContent() { return content }
    try names.check()
    return try names.databaseContent()
  }

  /// A WAL can be restarted once under a scan; the others are for good measure.
  private static let scanAttempts = 4

  private static func scan(
    _ file: VFSFile, _ walFile: VFSFile, pageSize: Int
  ) throws(SQLiteError) -> (WALIndexHeader, WriteAheadLog) {
    var index = try WALIndexHeader(of: file)
    for _ in 0..<scanAttempts {
      if let wal = try WriteAheadLog(scanning: walFile, publishedBy: index, pageSize: pageSize),
        try !isOfAnother(index, file, wal, walFile, pageSize: pageSize)
      {
        return (index, wal)
      }
      index = try WALIndexHeader(of: file)
    }
    guard try WALHeader(of: walFile).salts == index.salts else {
      throw SQLiteError.unseenWriter("its write-ahead log is not the one that the log's index is of")
    }
    throw SQLiteError(code: SQLITE_CORRUPT, message: "the write-ahead log does not hold what its index says")
  }

  /// Whether an index without frames was made for another WAL: SQLite has one for each file, and if the file had another name when
  /// this process opened it first, the WAL beside that name was empty.
  ///
  /// With one of this WAL, there are frames, or the salts are the header's or the next ones (walformat.html §2.2), or no frame is a
  /// commit: a writer that finds the WAL empty may give it salts of its own, and if it rolls back or dies, the index never has them.
  /// Or a writer is at its first commit.
  private static func isOfAnother(
    _ index: WALIndexHeader, _ file: VFSFile, _ wal: WriteAheadLog, _ walFile: VFSFile, pageSize: Int
  ) throws(SQLiteError) -> Bool {
    let salts = wal.header.salts
    guard index.frameCount == 0, wal.header.checksum(pageSize: pageSize) != nil, salts != index.salts,
      index.salts.first.bigEndian != salts.first.bigEndian &+ 1
    else { return false }
    guard try !file.isLocked(writeLock) else { return false }
    return try wal.hasCommit(from: 0, in: walFile, pageSize: pageSize)
  }

  /// How long it takes yet until a state that is found then can be settled, in microseconds.
  func timeUntilSettled(_ names: FileNames) throws(SQLiteError) -> useconds_t {
    try names.databaseContent()?.timeUntilTold() ?? 0
  }

  /// What of the WAL lies over the database file; nil if the file alone is the snapshot.
  var overlay: WriteAheadLog? { isInDatabase ? nil : wal }

  /// Compares.
  ///
  /// - Throws: `unseen-writer` for what SQLite does not do; what reading says.
  func check(_ file: VFSFile, _ walFile: VFSFile, _ names: FileNames) throws(SQLiteError) {
    // First, since it makes the kernel drop pages of a network or FUSE mount that were read before a write elsewhere.
    let database = try names.databaseContent()
    let isChanged = database != nil && self.database != nil && database != self.database
    names.dropCachedPages()
    guard !isInDatabase else {
      guard !isChanged, try DatabaseHeader(of: file) == header else {
        throw SQLiteError.unseenWriter("the database file was written to, which no checkpoint can do now")
      }
      return
    }
    _ = try names.walContent()
    guard try wal.isStillThere(in: walFile, pageSize: pageSize) else {
      throw SQLiteError.unseenWriter("its WAL was reset or cut short")
    }
    // A writer is changing it, or died while it did: the next one mends it.
    guard let now = try? WALIndexHeader(of: file) else { return }
    guard now.salts == index.salts, now.frameCount >= index.frameCount,
      now.backfilledCount <= max(index.frameCount, index.backfilledCount)
    else { throw SQLiteError.unseenWriter("the index of its write-ahead log went past what is pinned") }
    guard isChanged, !mayWriteUnannounced, Self.isSameCheckpoint(now, index) else { return }
    if index.backfillAttempted != index.backfilledCount {
      // An index that was made from the WAL says that all frames were attempted, and a checkpoint that fails says no
      // more. But a commit that the index does not know of is another writer's.
      guard try wal.hasCommit(from: now.frameCount, in: walFile, pageSize: pageSize) else { return }
    }
    // A checkpoint that has been announced already, or by SQLite before 3.10 not at all, is under way or has just ended.
    guard try !file.isLocked(Self.checkpointLock), let after = try? WALIndexHeader(of: file),
      Self.isSameCheckpoint(after, index)
    else { return }
    throw SQLiteError.unseenWriter(
      "the database file was written to by no checkpoint that its index knows of")
  }

  private static func isSameCheckpoint(_ first: WALIndexHeader, _ second: WALIndexHeader) -> Bool {
    first.salts == second.salts && first.backfilledCount == second.backfilledCount
      && first.backfillAttempted == second.backfillAttempted
  }
}
