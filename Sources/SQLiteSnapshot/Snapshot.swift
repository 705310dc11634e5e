import CSQLite
import Glibc
package import System

/// A database as it was at one instant, readable for as long as this object lives.
///
/// A database in WAL mode is *pinned*: a read transaction holds the state, writers go on, and the pages come
/// straight from the files. Any other is *copied* first, since a reader of it blocks its writers and a client
/// must never set their pace.
///
/// Used by one thread at a time.
package final class Snapshot {
  /// How a snapshot is held.
  package enum Method: String, Sendable {
    /// By a read transaction on a database in WAL mode.
    case pinned
    /// By a copy, made with SQLite's Online Backup API.
    case copied
  }

  /// The settings of a snapshot.
  package struct Options: Sendable {
    /// How long somebody else's lock is waited for.
    package var busyTimeout: Duration
    /// What copies may take in memory; one that does not fit goes to the spool directory.
    package var memory: MemoryBudget
    /// Where the larger copies go, in files without a name.
    package var spoolDirectory: String

    /// Makes settings of all three.
    package init(busyTimeout: Duration, memory: MemoryBudget, spoolDirectory: String) {
      self.busyTimeout = busyTimeout
      self.memory = memory
      self.spoolDirectory = spoolDirectory
    }
  }

  /// So often a pinned state is found out again that a write to the database file may have passed by unnoticed.
  private static let settlingAttempts = 3

  /// How it is held.
  package let method: Method
  /// SQLite's name of the journal mode: `wal`, or `delete` for every mode with a rollback journal.
  package let journalMode: String
  /// In bytes: a power of two from 512 to 65536.
  package let pageSize: Int
  /// The number of pages; 0 for an empty file, which is a database too.
  package private(set) var pageCount: UInt32
  /// When its state was last known to be the database's: nanoseconds since 1970.
  package private(set) var takenAt: Int64

  /// The size in bytes.
  package var size: UInt64 { UInt64(pageCount) * UInt64(pageSize) }

  private let connection: Connection
  private let names: FileNames
  private let file: OpenFile
  private let logFile: OpenFile?
  private let logSizeWhenPinned: UInt64
  private let pageCountInDatabase: UInt32
  /// Of a database on a read-only file system; nil of any other.
  private let immutableContent: FileNames.Content?
  /// What must stay as it is for as long as the database is pinned; nil if it is not.
  private var pinnedState: PinnedState?
  /// The database file is never shorter than this, unless somebody cuts it.
  private var fileSizeNeeded: UInt64
  private let reservation: MemoryBudget.Reservation?
  /// The database that was copied, and SQLite's number of the state that it was in when the copy began.
  private var source: Connection?
  private let dataVersionBeforeCopy: Int
  /// Of that database: the Online Backup API writes counters of its own into the copy's.
  private let sourceHeader: [UInt8]

  // MARK: pinned

  /// Finds out where the pinned pages are: in the log up to its last commit, else in the database file.
  ///
  /// The read lock keeps a checkpoint from writing past the pinned mark and the log from being started anew, so
  /// every frame that the scan sees stays, and pages without a frame do not change in the database. A commit
  /// that came between the pin and the scan is a later cut, and as good.
  ///
  /// In one case the log can be started anew all the same: when the pin found it wholly checkpointed (read
  /// mark 0, https://www.sqlite.org/walformat.html §2.3.1). Then the database file alone is the snapshot: see
  /// `PinnedState`.
  init(pinning connection: consuming Connection, _ names: FileNames) throws(SQLiteError) {
    // The first read takes the snapshot. This one needs no schema, so a damaged schema does not matter.
    try connection.execute("BEGIN; PRAGMA schema_version")
    let pageSize = try connection.number("PRAGMA page_size")
    let file = try connection.databaseFile()
    let logFile = try connection.logFile()
    let pinnedState = try PinnedState(file, logFile, names, pageSize: pageSize)
    takenAt = Self.now()
    self.names = names
    self.file = file
    self.logFile = logFile
    logSizeWhenPinned = try logFile.size()
    self.pinnedState = pinnedState
    immutableContent = nil
    self.pageSize = pageSize
    // An index that was made for an empty log does not know the database's size; nor can it change then.
    pageCountInDatabase = UInt32(try connection.number("PRAGMA page_count"))
    pageCount = pinnedState.log.pageCount > 0 ? pinnedState.log.pageCount : pageCountInDatabase
    self.connection = connection
    source = nil
    sourceHeader = []
    dataVersionBeforeCopy = 0
    reservation = nil
    journalMode = "wal"
    method = .pinned
    fileSizeNeeded = Self.fileSizeNeeded(
      pageCount: pageCount, pageSize: pageSize, pinnedState.overlay?.frames ?? [])
    try checkFileSize()
    try checkHold()
  }

  /// Reads a database on a file system that no process can change: there is no log, and the file is the snapshot.
  convenience init(immutable connection: consuming Connection, _ names: FileNames) throws(SQLiteError) {
    let pageSize = try connection.number("PRAGMA page_size")
    let pageCount = UInt32(try connection.number("PRAGMA page_count"))
    let file = try connection.databaseFile()
    self.init(
      connection, file, names, .pinned, journalMode: "wal", pageSize: pageSize, pageCount: pageCount,
      takenAt: Self.now(), immutableContent: try names.databaseContent())
    try checkFileSize()
  }

  // MARK: without a log

  /// Takes over a connection whose database file is all of the snapshot.
  private init(
    _ connection: consuming Connection, _ file: OpenFile, _ names: FileNames, _ method: Method,
    journalMode: String, pageSize: Int, pageCount: UInt32, takenAt: Int64,
    immutableContent: FileNames.Content? = nil, source: consuming Connection? = nil,
    sourceHeader: [UInt8] = [], dataVersionBeforeCopy: Int = 0,
    reservation: consuming MemoryBudget.Reservation? = nil
  ) {
    self.connection = connection
    self.file = file
    self.names = names
    self.method = method
    self.journalMode = journalMode
    self.pageSize = pageSize
    self.pageCount = pageCount
    self.takenAt = takenAt
    self.immutableContent = immutableContent
    self.source = source
    self.sourceHeader = sourceHeader
    self.dataVersionBeforeCopy = dataVersionBeforeCopy
    self.reservation = reservation
    logFile = nil
    logSizeWhenPinned = 0
    pinnedState = nil
    pageCountInDatabase = pageCount
    fileSizeNeeded = UInt64(pageCount) * UInt64(pageSize)
  }

  /// Whether every process that opens the database still meets the pin, as far as its files' names and their content tell: to
  /// be asked once all has been read, which counts only then, and now and then before. A copy is this process's alone.
  ///
  /// - Throws: `SQLITE_READONLY_DBMOVED` if a name leads elsewhere; `unseen-writer` if something was written that the pin
  ///   forbids.
  package func checkHold() throws(SQLiteError) {
    guard method == .pinned else { return }
    try names.check()
    if let pinnedState, let logFile {
      try pinnedState.check(file, logFile, names)
    } else if try names.databaseContent() != immutableContent {
      throw SQLiteError.unseenWriter("its file system was read-only when it was opened, and is not any more")
    }
  }

  /// By how many bytes the log has grown since it was pinned; 0 for a copy, which holds nobody up.
  package func logGrowth() throws(SQLiteError) -> UInt64 {
    guard let logFile else { return 0 }
    let size = try logFile.size()
    return size > logSizeWhenPinned ? size - logSizeWhenPinned : 0
  }

  /// How much room the log's file system has; nil for a copy, and where the file system does not say.
  package func logSpace() -> FileSystemSpace? { logFile == nil ? nil : FileSystemSpace(of: names.path) }

  /// Whether the log holds rows that the database file lacks, and no other process has the database open: then nothing moves
  /// them there once the snapshot is released. So it is when its application has closed the database meanwhile: SQLite's last
  /// connection does that, and the snapshot's was open still.
  ///
  /// - Returns: nil if it cannot be found out.
  package func leavesLog() -> Bool? {
    guard pinnedState != nil else { return false }
    guard let index = try? WALIndexHeader(of: file), let size = try? names.logContent()?.size else {
      return nil
    }
    guard size > 0, index.frameCount > index.backfilledCount else { return false }
    return names.isLockedElsewhere().map { !$0 }
  }

  /// Whether a checkpoint is under way. One that has been for long waits for a reader, this one for instance; nobody's
  /// checkpoint waits for a copy.
  package func isBeingCheckpointed() throws(SQLiteError) -> Bool {
    guard pinnedState != nil else { return false }
    return try file.isLocked(PinnedState.checkpointLock)
  }

  // MARK: copied

  /// Copies a database that nothing is locked of.
  convenience init(
    copying source: consuming Connection, journalMode: String, _ names: FileNames, _ options: Options
  ) throws(SQLiteError) {
    // With it on, SQLite takes a file that was cut short for all that there ever was.
    try source.execute("PRAGMA writable_schema=OFF")
    let sourcePageSize = try source.number("PRAGMA page_size")
    let byteCount = UInt64(try source.number("PRAGMA page_count")) * UInt64(sourcePageSize)
    var reservation = options.memory.reserve(byteCount)
    let copy = try DatabaseCopy(
      of: source, byteCount: byteCount, isInMemory: reservation != nil, names, options)
    let (header, dataVersion) = (copy.header, copy.dataVersion)
    let connection = copy.connection
    let takenAt = Self.now()
    // Between two steps nothing is locked, and at each SQLite looks for a log by its name.
    try names.checkDatabase()
    let file = try connection.databaseFile()
    // A VACUUM may have changed it since the copy was begun, which the copy's connection does not notice.
    let pageSize = byteCount > 0 ? try Self.pageSize(of: file) : sourcePageSize
    let size = try file.size()
    guard size % UInt64(pageSize) == 0 else {
      throw SQLiteError(code: SQLITE_BUSY, message: "the page size was changed while it was copied")
    }
    self.init(
      connection, file, names, .copied, journalMode: journalMode, pageSize: pageSize,
      pageCount: UInt32(size / UInt64(pageSize)), takenAt: takenAt, source: consume source,
      sourceHeader: header, dataVersionBeforeCopy: dataVersion, reservation: reservation.take())
  }

  /// What a copy would say of itself: nothing is copied, nothing stays locked, and `read` must not be called but for what
  /// `state` and `reservedByteCount` need.
  convenience init(
    describing source: consuming Connection, journalMode: String, _ names: FileNames, _ options: Options
  ) throws(SQLiteError) {
    let deadline = ContinuousClock.now + options.busyTimeout
    while try names.hasLockFolder() {
      guard .now < deadline, !Task.isCancelled else { throw .lockFolder }
      usleep(5_000)
    }
    try source.execute("BEGIN; PRAGMA schema_version")
    let pageSize = try source.number("PRAGMA page_size")
    let pageCount = UInt32(try source.number("PRAGMA page_count"))
    let file = try source.databaseFile()
    let header = pageCount > 0 ? try file.read(DatabaseHeader.size, at: 0).bytes : []
    let takenAt = Self.now()
    try names.checkDatabase()
    try source.execute("COMMIT")
    self.init(
      consume source, file, names, .copied, journalMode: journalMode, pageSize: pageSize,
      pageCount: pageCount, takenAt: takenAt, sourceHeader: header)
  }

  /// Brings all snapshots nearer to one moment, once each of them has been taken.
  ///
  /// A copy: if nothing was committed since it was begun, it is the database's state of this moment too, and `takenAt` says
  /// so. The database that was copied is closed. A pinned database whose file was written to just when it was pinned: the
  /// state is found out again, once a write would be noticed; it may be one of later commits then.
  /// - Throws: what pinning throws.
  package func confirm() throws(SQLiteError) {
    try settle()
    guard let source = source.take() else { return }
    source.setBusyTimeout(.zero)
    guard (try? source.number("PRAGMA data_version")) == dataVersionBeforeCopy else { return }
    takenAt = Self.now()
  }

  private func settle() throws(SQLiteError) {
    for _ in 0..<Self.settlingAttempts {
      guard let before = pinnedState, !before.isSettled, let logFile else { return }
      usleep(try before.timeUntilSettled(names))
      let state = try PinnedState(file, logFile, names, pageSize: pageSize)
      if state.log.state != before.log.state { takenAt = Self.now() }
      pinnedState = state
      pageCount = state.log.pageCount > 0 ? state.log.pageCount : pageCountInDatabase
      fileSizeNeeded = Self.fileSizeNeeded(
        pageCount: pageCount, pageSize: pageSize, state.overlay?.frames ?? [])
      try checkFileSize()
    }
  }

  /// As the header has it, where 1 stands for 65536: fileformat2.html §1.3.2.
  private static func pageSize(of file: OpenFile) throws(SQLiteError) -> Int {
    let (header, isWhole) = try file.read(DatabaseHeader.size, at: 0)
    let size = Int(header[16]) << 8 | Int(header[17])
    guard isWhole, size > 0 else {
      throw SQLiteError(code: SQLiteError.shortRead, message: "the copy could be read in part only")
    }
    return size == 1 ? 65536 : size
  }

  // MARK: reading

  /// The `count` bytes from `offset` on; both are multiples of the page size, as every power of two from
  /// 64 KiB on is, save at the end.
  ///
  /// - Throws: what reading the files says; `SQLITE_CORRUPT` if the database file was cut short, `unseen-writer` if the log
  ///   was.
  package func read(_ count: Int, at offset: UInt64) throws(SQLiteError) -> [UInt8] {
    // The end of the file may lie before the end of the database: the rest is in the log.
    let count = UInt64(count)
    let inFile = min(count, fileSizeNeeded > offset ? fileSizeNeeded - offset : 0)
    var (bytes, isWhole) = try file.read(Int(inFile), at: offset)
    guard isWhole else {
      try checkFileSize()
      throw SQLiteError(code: SQLiteError.shortRead, message: "the database file could be read in part only")
    }
    bytes += repeatElement(0, count: Int(count - inFile))
    if offset == 0, bytes.count >= sourceHeader.count {
      bytes.replaceSubrange(0..<sourceHeader.count, with: sourceHeader)
    }
    if let overlay = pinnedState?.overlay, let logFile {
      try lay(overlay, in: logFile, on: &bytes, at: offset)
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
  package func state() throws(SQLiteError) -> [UInt8] {
    var state = sourceHeader
    if method == .pinned, pageCount > 0 { state += try read(pageSize, at: 0).prefix(DatabaseHeader.size) }
    for number in [UInt32(pageSize), pageCount] + (pinnedState?.log.state ?? []) {
      for shift in stride(from: 0, to: 32, by: 8) { state.append(UInt8(truncatingIfNeeded: number >> shift)) }
    }
    return state
  }

  /// How many bytes at the end of each page SQLite leaves to an extension: fileformat2.html §1.3.4.
  ///
  /// - Throws: what `read` throws.
  package func reservedByteCount() throws(SQLiteError) -> Int {
    pageCount > 0 ? Int(try read(pageSize, at: 0)[20]) : 0
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
  /// - Throws: `unseen-writer` if the log is not the scanned one any more, which no writer that meets the pin can do.
  private func lay(
    _ log: WriteAheadLog, in logFile: OpenFile, on bytes: inout [UInt8], at offset: UInt64
  ) throws(SQLiteError) {
    let size = UInt64(pageSize)
    let first = offset / size + 1
    let frames = log.frames(ofPages: first..<first + UInt64(bytes.count) / size)
    guard !frames.isEmpty else { return }
    var isWhole = true
    for frame in frames {
      let start = Int(frame >> 32 - first) * pageSize
      let place = WriteAheadLog.offset(ofFrame: Int(frame & 0xffff_ffff), pageSize: pageSize)
      let isThere = try logFile.read(
        into: &bytes, start..<start + pageSize, at: place + UInt64(WriteAheadLog.frameHeaderSize))
      if !isThere { isWhole = false }
    }
    guard isWhole, try WriteAheadLog.readHeader(logFile) == log.header else {
      throw SQLiteError.unseenWriter("its WAL was reset or cut short")
    }
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
