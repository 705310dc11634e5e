import CSQLite
import System

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
    /// By a copy, made under SQLite's lock: see `DatabaseCopy`.
    case copied
  }

  /// The settings of a snapshot.
  package struct Options: Sendable {
    /// How long another connection's lock is waited for.
    package var busyTimeout: Duration
    /// Where the copies go that do not fit into memory, in files without a name.
    package var spoolDirectory: String

    package init(busyTimeout: Duration, spoolDirectory: String) {
      self.busyTimeout = busyTimeout
      self.spoolDirectory = spoolDirectory
    }
  }

  /// How it is held.
  package let method: Method
  /// SQLite's name of the journal mode: `wal`, or `delete` for every mode with a rollback journal.
  package let journalMode: String
  /// When its state was last known to be the database's: nanoseconds since 1970.
  package internal(set) var takenAt: Int64

  var pages: SnapshotPages
  let names: FileNames
  /// To the database, whose files it keeps open; nil of a copy.
  let connection: DatabaseConnection?
  /// What holds a pinned database; nil of any other.
  var pin: Pin?
  /// The database that was copied, until `confirm`.
  var source: CopiedDatabase?

  init(
    _ method: Method, journalMode: String, _ pages: SnapshotPages,
    _ connection: consuming DatabaseConnection?,
    _ names: FileNames, pin: Pin? = nil, source: consuming CopiedDatabase? = nil
  ) {
    self.method = method
    self.journalMode = journalMode
    self.pages = pages
    self.connection = connection
    self.names = names
    self.pin = pin
    self.source = source
    takenAt = FileSystem.now()
  }

  // Before the connection is closed.
  deinit { pin?.readMark?.release() }

  /// In bytes: a power of two from 512 to 65536.
  package var pageSize: Int { pages.pageSize }
  /// The number of pages; 0 for an empty file, which is a database too.
  package var pageCount: UInt32 { pages.pageCount }
  /// The size in bytes.
  package var size: UInt64 { pages.size }

  /// Brings all snapshots nearer to one moment, once each of them has been taken.
  ///
  /// A copy: if nothing was committed since it was begun, it is the database's state of this moment too, and `takenAt` says
  /// so. The database that was copied is closed. A pinned database whose file was written to just when it was pinned: the
  /// state is found out again, once a write would be noticed; it may be one of later commits then.
  /// - Throws: what pinning throws.
  package func confirm() throws(SQLiteError) {
    try settle()
    guard let source = source.take() else { return }
    if source.isUnchanged() { takenAt = FileSystem.now() }
  }

  // MARK: reading

  /// The `count` bytes from `offset` on; both are multiples of the page size, as every power of two from
  /// 64 KiB on is, save at the end.
  ///
  /// - Throws: what reading the files says; `SQLITE_CORRUPT` if the database file was cut short, `unseen-writer` if the WAL
  ///   was.
  package func read(_ count: Int, at offset: UInt64) throws(SQLiteError) -> [UInt8] {
    try pages.read(count, at: offset)
  }

  /// What changes when the content does, as far as SQLite tells by itself: the header with its change counter, which
  /// every commit to a database with a rollback journal raises, and for one in WAL mode what tells its WAL from every
  /// other. Pages that a checkpoint has moved, only the file's times tell of.
  ///
  /// fileformat2.html §1.3.7 and §4.1.
  /// - Throws: what `read` throws.
  package func state() throws(SQLiteError) -> [UInt8] {
    var state = try pages.databaseHeader()?.bytes ?? []
    for number in [UInt32(pageSize), pageCount] + (pin?.state?.wal.commit?.words ?? []) {
      state.append(littleEndian: number)
    }
    return state
  }

  /// How many bytes at the end of each page SQLite leaves to an extension.
  ///
  /// - Throws: what `read` throws.
  package func reservedByteCount() throws(SQLiteError) -> Int {
    try pages.databaseHeader()?.reservedByteCount ?? 0
  }
}
