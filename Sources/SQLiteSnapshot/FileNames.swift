import CSQLite
import Glibc
import System

/// The names by which a database, its WAL and its `-shm` are found, and the files that they led to when it was opened.
///
/// A process that opens a database finds these files by their names, and the locks on them. As long as the names lead to the
/// files that this process has open, every other process meets its locks. Once one leads elsewhere, another process may write
/// as if nothing were locked: https://www.sqlite.org/howtocorrupt.html §2.4 and §4.1.
struct FileNames {
  let path: BytePath
  private let database: FileSystem.Identity
  private let likelyDescriptor: CInt
  private let wal: FileSystem.Identity?
  private let shm: FileSystem.Identity?
  /// Whether the kernel keeps pages of the files that a process behind the mount may have changed.
  private let isCachedElsewhere: Bool

  /// What every write to a file changes.
  struct Content: Equatable {
    /// In bytes.
    let size: UInt64
    private let modifiedAt: FileSystem.Time

    /// For how long yet a write may leave the time as it is; nil if it cannot. A time that is not of this machine's clock
    /// tells nothing.
    func timeUntilTold() -> useconds_t? {
      let now = FileSystem.now()
      let second = now / 1_000_000_000
      guard (second - 1...second + 1).contains(modifiedAt.seconds) else { return nil }
      let age = now - modifiedAt.seconds * 1_000_000_000 - modifiedAt.nanoseconds
      return abs(age) < FileSystem.Time.tick ? useconds_t((FileSystem.Time.tick - age) / 1000 + 1) : nil
    }

    fileprivate init(_ status: FileSystem.Status) {
      size = status.size
      modifiedAt = status.modifiedAt
    }
  }

  /// Looks at them.
  ///
  /// - Parameter descriptor: that SQLite has probably opened the database with: it need not be.
  /// - Throws: `SQLITE_READONLY_DBMOVED` if there is no database of that name; `SQLITE_IOERR` if that cannot be found out.
  init(of path: BytePath, openedAs descriptor: CInt = -1) throws(SQLiteError) {
    self.path = path
    likelyDescriptor = descriptor
    guard let database = try Self.identity(path) else { throw SQLiteError.moved }
    self.database = database
    wal = try Self.identity(path + CompanionFile.wal)
    shm = try Self.identity(path + CompanionFile.shm)
    isCachedElsewhere = unsafe csqlite_is_fuse(path.cString) != 0
  }

  /// - Throws: `SQLITE_READONLY_DBMOVED` if the database's name leads elsewhere by now.
  func checkDatabase() throws(SQLiteError) {
    guard try Self.identity(path) == database else { throw SQLiteError.moved }
  }

  /// Whether a folder stands beside the database that SQLite's VFS `unix-dotfile` makes instead of locking it.
  ///
  /// https://www.sqlite.org/vfs.html §2.1; in SQLite's `os_unix.c`, `DOTLOCK_SUFFIX`.
  func hasLockFolder() throws(SQLiteError) -> Bool { try Self.hasLockFolder(path) }

  static func hasLockFolder(_ path: BytePath) throws(SQLiteError) -> Bool {
    guard let status = try status(path + lockFolderSuffix) else { return false }
    return status.kind == .directory
  }

  /// Whether there is a file of that name that is not empty.
  static func hasContent(_ path: BytePath) throws(SQLiteError) -> Bool {
    try (status(path)?.size ?? 0) > 0
  }

  private static let lockFolderSuffix: BytePath = ".lock"

  /// Looks at all three. Of a database that has no name left at all, no other process can find the WAL or the `-shm`
  /// either: only those that have it open already use it.
  ///
  /// - Throws: `SQLITE_READONLY_DBMOVED` if one of them leads elsewhere by now.
  func check() throws(SQLiteError) {
    guard try Self.identity(path) == database else {
      guard Self.find(database, likelyDescriptor)?.status.linkCount == 0 else { throw SQLiteError.moved }
      return
    }
    guard try Self.identity(path + CompanionFile.wal) == wal,
      try Self.identity(path + CompanionFile.shm) == shm
    else {
      throw SQLiteError.moved
    }
  }

  /// Makes the kernel look again, when SQLite has opened a database on a FUSE mount and not yet read its pages, at what it
  /// knows of the database's files: it and libfuse keep pages of the last time that they were open for a second or longer.
  static func refresh(_ path: BytePath, openedAs descriptor: CInt) throws(SQLiteError) {
    guard unsafe csqlite_is_fuse(path.cString) != 0 else { return }
    for suffix in [""] + CompanionFile.suffixes { _ = try status(path + suffix) }
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }

  /// Makes the kernel read a FUSE mount's files again. It drops their pages when it sees another size or time, but not those
  /// that it has read within the same tick of the clock.
  ///
  /// The corresponding C function is `posix_fadvise` with `POSIX_FADV_DONTNEED`.
  func dropCachedPages() {
    guard isCachedElsewhere else { return }
    for case let file? in [database, wal] {
      guard let (descriptor, _) = Self.find(file, likelyDescriptor) else { continue }
      posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
    }
  }

  /// What is to be said of a journal that SQLite takes for a crashed writer's: it may be of a transaction that is under way,
  /// whose lock SQLite does not see.
  static func cause(ofHotJournal error: SQLiteError, of path: BytePath) throws(SQLiteError) -> SQLiteError {
    if try hasLockFolder(path) { return .lockFolder }
    return try isJournalInUse(path) ? .journalInUse : error
  }

  /// Whether a journal is one that a running transaction has just changed or removed.
  static func isJournalInUse(_ path: BytePath) throws(SQLiteError) -> Bool {
    let name = path + CompanionFile.journal
    guard let before = try status(name) else { return true }
    usleep(journalInterval)
    guard let after = try status(name) else { return true }
    return before.identity != after.identity || Content(before) != Content(after)
  }

  /// Between two looks at a journal, in microseconds: longer than a tick of the file system's clock.
  private static let journalInterval: useconds_t = 25_000

  /// Size and time of the database; nil if its name leads elsewhere by now.
  func databaseContent() throws(SQLiteError) -> Content? { try Self.content(path, database) }

  /// The same of its WAL.
  func walContent() throws(SQLiteError) -> Content? { try Self.content(path + CompanionFile.wal, wal) }

  private static func content(_ path: BytePath, _ file: FileSystem.Identity?) throws(SQLiteError) -> Content?
  {
    guard let status = try status(path), status.identity == file else { return nil }
    return Content(status)
  }

  /// Which file a name leads to; nil if it leads to none.
  private static func identity(_ path: BytePath) throws(SQLiteError) -> FileSystem.Identity? {
    try status(path)?.identity
  }

  /// What the file system itself says, and no cache of its answers; nil if the name leads to nothing. The corresponding C
  /// function is `statx` with `AT_STATX_FORCE_SYNC`.
  private static func status(_ path: BytePath) throws(SQLiteError) -> FileSystem.Status? {
    var status = stat()
    let isThere = unsafe csqlite_lstat(path.cString, &status) == 0
    let reason = errno
    guard isThere else {
      // A database may have so long a name that its WAL can have none.
      guard reason == ENOENT || reason == ENAMETOOLONG else {
        throw SQLiteError(code: SQLITE_IOERR, message: "statx: \(SystemCalls.describe(reason))")
      }
      return nil
    }
    return FileSystem.Status(status)
  }

  /// Whether another process has a lock on the database, as each connection in WAL mode has for as long as it is open; nil if
  /// that cannot be found out.
  ///
  /// The corresponding C function is `fcntl` with `F_GETLK`, which takes and drops no lock.
  func isLockedElsewhere() -> Bool? {
    guard let (descriptor, _) = Self.find(database, likelyDescriptor) else { return nil }
    let answer = csqlite_is_locked_elsewhere(descriptor)
    return answer < 0 ? nil : answer > 0
  }

  /// A clone of the database, if its file system can make one.
  func cloneDatabase() -> UnlinkedFile? {
    guard let folder = path.parent, let (source, _) = Self.find(database, likelyDescriptor) else {
      return nil
    }
    let clone = unsafe csqlite_unnamed_file(folder.cString)
    return clone < 0 ? nil : UnlinkedFile(cloning: source, into: Descriptor(owning: clone))
  }

  /// A descriptor of this process that a file is open by, and its status; nil if it cannot be found. SQLite keeps its
  /// descriptors to itself: if the likely one is another file's, all of this process are looked at.
  ///
  /// The corresponding C function is `fstat`.
  private static func find(
    _ file: FileSystem.Identity, _ likely: CInt
  ) -> (descriptor: CInt, status: FileSystem.Status)? {
    let find = { (descriptor: CInt) in
      (try? FileSystem.status(of: descriptor)).flatMap { $0.identity == file ? (descriptor, $0) : nil }
    }
    if let found = find(likely) { return found }
    for name in (try? FileSystem.names(in: "/proc/self/fd", limit: .max)) ?? [] {
      if let descriptor = CInt(name.lossyString), let found = find(descriptor) { return found }
    }
    return nil
  }
}
