internal import CSQLite

/// A database that is open and of which nothing is locked yet.
///
/// It is opened before its snapshot is taken so that whoever takes many can look at the journal modes first:
/// copies take their time, pins take none, and all are to be of the same instant.
public final class Database {
  /// SQLite's name of the journal mode: `wal`, or `delete` for every mode with a rollback journal.
  public let journalMode: String
  private var connection: Connection?
  private let names: FileNames
  private let options: Snapshot.Options

  /// Opens the database at an absolute path, read-only. Its last name must be no symbolic link; what the names before it
  /// are is the caller's matter, and that they stay it for as long as the database or its snapshot lives.
  ///
  /// A lock is not waited for here, so that whoever opens many can wait for all that are locked at once; the
  /// snapshot's own locks are.
  /// - Throws: what SQLite says; `SQLiteError.reason` tells the cases apart.
  public init(path: String, _ options: Snapshot.Options) throws(SQLiteError) {
    let connection = try Connection.reading(path, busyTimeout: .zero)
    // Before SQLite looks, which finds a journal or damage in what only looks like its own.
    try DatabaseHeader(of: connection.databaseFile())?.check()
    // Reads the header, as every transaction does, and no schema: a damaged one does not matter here.
    // In one transaction: a busy writer leaves one gap for one lock, and seldom two.
    do throws(SQLiteError) { try connection.execute("BEGIN; PRAGMA schema_version") } catch {
      guard error.reason == .hotJournal else { throw error }
      // The journal of a transaction that is under way, and not of a crashed one.
      if try FileNames.hasLockFolder(path) { throw .lockFolder }
      // SQLite looks for a journal first, and may find an encrypted database's.
      let first = try connection.databaseFile().read(DatabaseHeader.magic.count, at: 0)
      guard first.isWhole, first.bytes != DatabaseHeader.magic else { throw error }
      throw SQLiteError(code: SQLITE_NOTADB, message: "file is not a database")
    }
    // What is read goes past SQLite's page cache: a small one will do.
    try connection.execute("PRAGMA cache_size=4")
    journalMode = try connection.text("PRAGMA journal_mode")
    // While the lock is held: the names lead to what SQLite has opened by them just now.
    names = try FileNames(of: path)
    guard try !connection.hasMoved() else { throw SQLiteError.moved }
    try connection.execute("COMMIT")
    connection.setBusyTimeout(options.busyTimeout)
    self.connection = consume connection
    self.options = options
  }

  /// Takes the snapshot: pins a database in WAL mode, copies any other. Once.
  ///
  /// - Throws: what SQLite says.
  public func snapshot() throws(SQLiteError) -> Snapshot {
    guard let connection = connection.take() else {
      throw SQLiteError(code: SQLITE_MISUSE, message: "the snapshot was taken already")
    }
    if journalMode == "wal" { return try Snapshot(pinning: connection, names) }
    return try Snapshot(copying: connection, journalMode: journalMode, names, options)
  }
}
