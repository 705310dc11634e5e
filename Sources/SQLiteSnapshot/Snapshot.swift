internal import CSQLite
internal import Glibc

/// A database as it was at one instant, readable for as long as this object lives.
///
/// A database in WAL mode is *pinned*: a read transaction holds the state, writers go on, and the pages come
/// straight from the files. Any other is *copied* first, since a reader of it blocks its writers and a client
/// must never set their pace.
///
/// Used by one thread at a time.
public final class Snapshot {
  /// How a snapshot is held.
  public enum Method: String, Sendable {
    /// By a read transaction on a database in WAL mode.
    case pinned
    /// By a copy, made with SQLite's Online Backup API.
    case copied
  }

  /// The settings of a snapshot.
  public struct Options: Sendable {
    /// How long somebody else's lock is waited for.
    public var busyTimeout: Duration
    /// What copies may take in memory; one that does not fit goes to the spool directory.
    public var memory: MemoryBudget
    /// Where the larger copies go, in files without a name.
    public var spoolDirectory: String

    /// Makes settings of all three.
    public init(busyTimeout: Duration, memory: MemoryBudget, spoolDirectory: String) {
      self.busyTimeout = busyTimeout
      self.memory = memory
      self.spoolDirectory = spoolDirectory
    }
  }

  /// Copied under one lock: less than a millisecond of a writer's time.
  private static let copyStepSize = 1 << 20
  /// So often other processes' commits may start a copy again before it is made under one lock.
  private static let maximumCopyRestarts = 3
  /// A log can be started anew once under a scan; the others are for good measure.
  private static let scanAttempts = 4

  /// How it is held.
  public let method: Method
  /// SQLite's name of the journal mode: `wal`, or `delete` for every mode with a rollback journal.
  public let journalMode: String
  /// In bytes: a power of two from 512 to 65536.
  public let pageSize: Int
  /// The number of pages; 0 for an empty file, which is a database too.
  public let pageCount: UInt32
  /// When its state was last known to be the database's: nanoseconds since 1970.
  public private(set) var takenAt: Int64

  /// The size in bytes.
  public var size: UInt64 { UInt64(pageCount) * UInt64(pageSize) }

  private let connection: Connection
  private let names: FileNames
  private let file: OpenFile
  private let logFile: OpenFile?
  private let logSizeWhenPinned: UInt64
  /// Of the log as it was scanned.
  private let logState: [UInt32]
  /// What of the log lies over the database file; nil once the file alone is the snapshot.
  private var overlay: WriteAheadLog?
  /// The database file is never shorter than this, unless somebody cuts it.
  private var fileSizeNeeded: UInt64
  private let reservation: MemoryBudget.Reservation?
  /// The database that was copied, and SQLite's number of the state that it was in when the copy began.
  private var source: Connection?
  private let dataVersionBeforeCopy: Int
  /// Of that database: a copy has counters of its own.
  private let sourceHeader: [UInt8]

  // MARK: pinned

  /// Finds out where the pinned pages are: in the log up to its last commit, else in the database file.
  ///
  /// The read lock keeps a checkpoint from writing past the pinned mark and the log from being started anew, so
  /// every frame that the scan sees stays, and pages without a frame do not change in the database. A commit
  /// that came between the pin and the scan is a later cut, and as good.
  ///
  /// In one case the log can be started anew all the same: when the pin found it wholly checkpointed (read
  /// mark 0, https://www.sqlite.org/walformat.html §2.3.1). No checkpoint can run from then on, so the database
  /// file alone is the snapshot, and it cannot happen twice.
  init(pinning connection: consuming Connection, _ names: FileNames) throws(SQLiteError) {
    // The first read takes the snapshot. This one needs no schema, so a damaged schema does not matter.
    try connection.execute("BEGIN; PRAGMA schema_version")
    let pageSize = try connection.number("PRAGMA page_size")
    let file = try connection.databaseFile()
    let logFile = try connection.logFile()
    var scanned: WriteAheadLog?
    for _ in 0..<Self.scanAttempts where scanned == nil {
      let index = try WALIndexHeader(of: file)
      scanned = try WriteAheadLog(scanning: logFile, publishedBy: index, pageSize: pageSize)
    }
    guard let log = scanned else {
      throw SQLiteError(
        code: SQLITE_CORRUPT, message: "the write-ahead log does not hold what its index says")
    }
    takenAt = Self.now()
    self.names = names
    self.file = file
    self.logFile = logFile
    logSizeWhenPinned = try logFile.size()
    overlay = log
    logState = log.state
    self.pageSize = pageSize
    // An index that was made for an empty log does not know the database's size; nor can it change then.
    pageCount = log.pageCount > 0 ? log.pageCount : UInt32(try connection.number("PRAGMA page_count"))
    self.connection = connection
    source = nil
    sourceHeader = []
    dataVersionBeforeCopy = 0
    reservation = nil
    journalMode = "wal"
    method = .pinned
    fileSizeNeeded = Self.fileSizeNeeded(pageCount: pageCount, pageSize: pageSize, log.frames)
    try checkFileSize()
    try checkHold()
  }

  /// Whether everyone who opens the database still meets the pin, as far as its files' names tell: to be asked once all has
  /// been read, which counts only then. A copy is nobody's but ours.
  ///
  /// - Throws: `SQLITE_READONLY_DBMOVED` if not.
  public func checkHold() throws(SQLiteError) {
    if method == .pinned { try names.check() }
  }

  /// By how many bytes the log has grown since it was pinned; 0 for a copy, which holds nobody up.
  public func logGrowth() throws(SQLiteError) -> UInt64 {
    guard let logFile else { return 0 }
    let size = try logFile.size()
    return size > logSizeWhenPinned ? size - logSizeWhenPinned : 0
  }

  /// Whether a checkpoint is under way. One that has been for long waits for a reader, this one for instance; nobody's
  /// checkpoint waits for a copy.
  public func isBeingCheckpointed() throws(SQLiteError) -> Bool {
    guard method == .pinned else { return false }
    return try file.isLocked(Self.checkpointLock)
  }

  /// `WAL_CKPT_LOCK`: walformat.html §2.3.
  private static let checkpointLock: Int32 = 1

  // MARK: copied

  /// Copies a database that nothing is locked of.
  init(
    copying source: consuming Connection, journalMode: String, _ names: FileNames, _ options: Options
  ) throws(SQLiteError) {
    // With it on, SQLite takes a file that was cut short for all that there ever was.
    try source.execute("PRAGMA writable_schema=OFF")
    let sourcePageSize = try source.number("PRAGMA page_size")
    let byteCount = UInt64(try source.number("PRAGMA page_count")) * UInt64(sourcePageSize)
    let dataVersion = try source.number("PRAGMA data_version")
    // Before the copy: what is committed meanwhile makes it differ from that of the next backup, and not the same.
    sourceHeader = byteCount > 0 ? try source.databaseFile().read(Self.headerSize, at: 0).bytes : []
    var reservation = options.memory.reserve(byteCount)
    let isInMemory = reservation != nil
    let copy =
      try isInMemory ? Self.memoryDatabase(byteCount) : Self.spool(in: options.spoolDirectory)
    // The backup functions would make a page of a database that has none.
    if byteCount > 0 {
      try copy.copy(
        from: source, pagesPerStep: Int32(max(1, Self.copyStepSize / sourcePageSize)),
        maximumRestarts: Self.maximumCopyRestarts)
    }
    takenAt = Self.now()
    // Between two steps nothing is locked, and at each SQLite looks for a log by its name.
    try names.checkDatabase()
    self.names = names
    file = try copy.databaseFile()
    // A VACUUM may have changed it since the copy was begun, which the copy's connection does not notice.
    pageSize = byteCount > 0 ? try Self.pageSize(of: file) : sourcePageSize
    let size = try file.size()
    guard size % UInt64(pageSize) == 0 else {
      throw SQLiteError(code: SQLITE_BUSY, message: "the page size was changed while it was copied")
    }
    pageCount = UInt32(size / UInt64(pageSize))
    logFile = nil
    logSizeWhenPinned = 0
    overlay = nil
    logState = []
    fileSizeNeeded = UInt64(pageCount) * UInt64(pageSize)
    connection = copy
    self.source = consume source
    dataVersionBeforeCopy = dataVersion
    self.reservation = reservation.take()
    self.journalMode = journalMode
    method = .copied
  }

  /// Finds out whether anything was committed since a copy was begun. If not, the copy is the database's state
  /// of this moment too, and `takenAt` says so; a pinned snapshot, or a locked database, stays as it was.
  ///
  /// The database that was copied is let go of.
  public func confirm() {
    guard let source = source.take() else { return }
    source.setBusyTimeout(.zero)
    guard (try? source.number("PRAGMA data_version")) == dataVersionBeforeCopy else { return }
    takenAt = Self.now()
  }

  /// As the header has it, where 1 stands for 65536: fileformat2.html §1.3.2.
  private static func pageSize(of file: OpenFile) throws(SQLiteError) -> Int {
    let (header, isWhole) = try file.read(headerSize, at: 0)
    let size = Int(header[16]) << 8 | Int(header[17])
    guard isWhole, size > 0 else {
      throw SQLiteError(code: SQLiteError.shortRead, message: "the copy could be read in part only")
    }
    return size == 1 ? 65536 : size
  }

  /// An empty database in memory whose file can be read: that of the `memdb` VFS.
  private static func memoryDatabase(_ byteCount: UInt64) throws(SQLiteError) -> Connection {
    let connection = try Connection.scratch("file:sluice?vfs=memdb")
    // Its own limit is 1 GiB; ours is the budget. Room for what is added while the copy is made.
    try connection.limitSize(Int64(byteCount) * 2 + (64 << 20))
    return connection
  }

  /// An empty database in a file that has lost its name already, lest the copy should outlive this process.
  private static func spool(in directory: String) throws(SQLiteError) -> Connection {
    let folder = try temporaryFolder(in: directory)
    defer { unsafe rmdir(folder) }
    let path = folder + "/copy.db"
    do throws(SQLiteError) {
      let copy = try Connection.scratch(path)
      guard unsafe unlink(path) == 0 else {
        throw SQLiteError(
          code: SQLITE_CANTOPEN, message: "no name can be removed from \(directory): \(describe(errno))")
      }
      return copy
    } catch {
      unsafe unlink(path)
      throw error
    }
  }

  // MARK: reading

  /// The `count` bytes from `offset` on; both are multiples of the page size, as every power of two from
  /// 64 KiB on is, save at the end.
  ///
  /// - Throws: what reading the files says; `SQLITE_CORRUPT` if somebody has cut one of them short.
  public func read(_ count: Int, at offset: UInt64) throws(SQLiteError) -> [UInt8] {
    // The end of the file may lie before the end of the database: the rest is in the log.
    let count = UInt64(count)
    let inFile = min(count, fileSizeNeeded > offset ? fileSizeNeeded - offset : 0)
    var (bytes, isWhole) = try file.read(Int(inFile), at: offset)
    guard isWhole else {
      try checkFileSize()
      throw SQLiteError(code: SQLiteError.shortRead, message: "the database file could be read in part only")
    }
    bytes += repeatElement(0, count: Int(count - inFile))
    if let overlay, let logFile, try lay(overlay, in: logFile, on: &bytes, at: offset) == false {
      try checkLogRestarted(overlay)
      self.overlay = nil
      fileSizeNeeded = Self.fileSizeNeeded(pageCount: pageCount, pageSize: pageSize, [])
      try checkFileSize()
      return try read(Int(count), at: offset)
    }
    clearLockPage(in: &bytes, at: offset)
    return bytes
  }

  /// What changes when the content does, as far as SQLite tells by itself: the header with its change counter, which
  /// every commit to a database with a rollback journal raises, and for one in WAL mode what tells its log from every
  /// other. Pages that a checkpoint has moved, only the file's times tell of.
  ///
  /// fileformat2.html §1.3.7 and §4.1.
  /// - Throws: what `read` throws.
  public func state() throws(SQLiteError) -> [UInt8] {
    var state = sourceHeader
    if method == .pinned, pageCount > 0 { state += try read(pageSize, at: 0).prefix(Self.headerSize) }
    for number in [UInt32(pageSize), pageCount] + logState {
      for shift in stride(from: 0, to: 32, by: 8) { state.append(UInt8(truncatingIfNeeded: number >> shift)) }
    }
    return state
  }

  /// Of the database header: fileformat2.html §1.3.
  private static let headerSize = 100

  /// The log was started anew, which no writer can do unless the database file holds all that is pinned.
  ///
  /// - Throws: `SQLITE_CORRUPT` if its index knows nothing of that: then the log was cut short or written over.
  private func checkLogRestarted(_ overlay: WriteAheadLog) throws(SQLiteError) {
    let index = try WALIndexHeader(of: file)
    guard index.salts != (overlay.header[4], overlay.header[5]) else {
      throw SQLiteError(
        code: SQLITE_CORRUPT, message: "the write-ahead log was cut short or written over, and not by SQLite")
    }
  }

  /// - Throws: `SQLITE_CORRUPT` if the database file lacks pages that the log does not hold.
  private func checkFileSize() throws(SQLiteError) {
    guard try file.size() >= fileSizeNeeded else {
      throw SQLiteError(code: SQLITE_CORRUPT, message: "the database file is shorter than its own page count")
    }
  }

  /// The end of the last page that only the database file has; the lock page is nowhere.
  private static func fileSizeNeeded(pageCount: UInt32, pageSize: Int, _ frames: [UInt64]) -> UInt64 {
    var last = UInt64(pageCount)
    var frames = frames[...]
    while last > 0 {
      if let frame = frames.last, frame >> 32 >= last {
        frames.removeLast()
        if frame >> 32 == last { last -= 1 }
      } else if last == lockByte / UInt64(pageSize) + 1 {
        last -= 1
      } else {
        break
      }
    }
    return last * UInt64(pageSize)
  }

  /// Reads the pages that the log holds over those of the database file.
  ///
  /// - Returns: whether they count: the log must still be the scanned one *after* they were read, since a writer
  ///   that starts it anew replaces its header first. See `init(pinning:)`.
  private func lay(
    _ log: WriteAheadLog, in logFile: OpenFile, on bytes: inout [UInt8], at offset: UInt64
  ) throws(SQLiteError) -> Bool {
    let size = UInt64(pageSize)
    let first = offset / size + 1
    let frames = log.frames(ofPages: first..<first + UInt64(bytes.count) / size)
    guard !frames.isEmpty else { return true }
    var isWhole = true
    for frame in frames {
      let start = Int(frame >> 32 - first) * pageSize
      let place = WriteAheadLog.offset(ofFrame: Int(frame & 0xffff_ffff), pageSize: pageSize)
      let isThere = try logFile.read(
        into: &bytes, start..<start + pageSize, at: place + UInt64(WriteAheadLog.frameHeaderSize))
      if !isThere { isWhole = false }
    }
    let header = try WriteAheadLog.readHeader(logFile)
    return isWhole && header == log.header
  }

  /// The page with this byte, where SQLite's locks are, is never used: fileformat2.html §1.4.
  private static let lockByte: UInt64 = 1 << 30

  private func clearLockPage(in bytes: inout [UInt8], at offset: UInt64) {
    guard offset <= Self.lockByte, Self.lockByte < offset + UInt64(bytes.count) else { return }
    let start = Int(Self.lockByte - offset) / pageSize * pageSize
    for index in start..<start + pageSize { bytes[index] = 0 }
  }

  private static func now() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
