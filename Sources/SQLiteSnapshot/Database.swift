import CSQLite
package import System

/// A database that is open and of which nothing is locked yet.
///
/// It is opened before its snapshot is taken so that a caller that takes many sees the journal modes first:
/// copies take their time, pins take none, and all are to be of the same instant.
package final class Database {
  /// SQLite's name of the journal mode: `wal`, or `delete` for every mode with a rollback journal.
  package let journalMode: String
  /// Whether it is on a read-only file system, where it needs no locks.
  private let isImmutable: Bool
  private var connection: DatabaseConnection?
  /// What was read ahead of the snapshot.
  private var copy: DatabaseCopy?
  private let names: FileNames
  private let options: Snapshot.Options
  private let memory: MemoryBudget

  /// Opens the database at an absolute path, read-only. Its last name must be no symbolic link; what the names before it
  /// are is the caller's matter, and that they stay it for as long as the database or its snapshot lives.
  ///
  /// A lock is not waited for here, so that a caller that opens many can wait for all that are locked at once; the
  /// snapshot's own locks are.
  /// - Parameter memory: what copies may take; one that does not fit goes to the spool directory.
  /// - Throws: what SQLite says; `SQLiteError.reason` tells the cases apart.
  package init(path: BytePath, _ options: Snapshot.Options, _ memory: MemoryBudget) throws(SQLiteError) {
    var isImmutable = false
    let connection: DatabaseConnection
    do throws(SQLiteError) { connection = try Self.begin(try .reading(path, busyTimeout: .zero), path) } catch
    {
      guard error.reason != .locked, error.reason != .notADatabase, ReadOnlyFileSystem.isReadOnly(path),
        try PlainFile(path: path).isInWALMode()
      else { throw error }
      try Self.checkFrozen(path)
      connection = try Self.begin(try .immutable(path), path)
      isImmutable = true
    }
    self.isImmutable = isImmutable
    // What is read goes past SQLite's page cache: a small one will do.
    try connection.execute("PRAGMA cache_size=4")
    journalMode = isImmutable ? "wal" : try connection.text("PRAGMA journal_mode")
    // While the lock is held: the names lead to what SQLite has opened by them just now.
    names = try FileNames(of: path, openedAs: connection.likelyDescriptor)
    guard try !connection.hasMoved() else { throw SQLiteError.moved }
    try connection.execute("COMMIT")
    // There may be thousands that wait for each other.
    if !isImmutable, journalMode == "wal" { try connection.databaseFile().dropSharedMemoryPages() }
    connection.releaseMemory()
    connection.setBusyTimeout(options.busyTimeout)
    self.connection = consume connection
    self.options = options
    self.memory = memory
  }

  /// Reads the header, as every transaction does, and no schema: a damaged one does not matter here.
  ///
  /// In one transaction with what follows: a busy writer leaves one gap for one lock, and seldom two.
  private static func begin(
    _ connection: consuming DatabaseConnection, _ path: BytePath
  ) throws(SQLiteError) -> DatabaseConnection {
    try FileNames.refresh(path, openedAs: connection.likelyDescriptor)
    // Before SQLite looks, which finds a journal or damage in what only looks like its own.
    try DatabaseHeader(of: connection.databaseFile())?.check()
    do throws(SQLiteError) { try connection.beginReading(of: path) } catch {
      guard error.reason == .hotJournal else { throw error }
      // SQLite looks for a journal first, and may find an encrypted database's.
      let first = try connection.databaseFile().read(DatabaseHeader.magic.count, at: 0)
      guard first.isWhole, first.bytes != DatabaseHeader.magic else { throw error }
      throw SQLiteError(code: SQLITE_NOTADB, message: "file is not a database")
    }
    return connection
  }

  /// - Throws: `cannot-open` if a database in WAL mode on a read-only mount cannot be read as it stands.
  private static func checkFrozen(_ path: BytePath) throws(SQLiteError) {
    let fact = "on a read-only file system SQLite cannot make the -shm that a WAL database needs"
    guard try !FileNames.hasContent(path + CompanionFile.wal),
      try !FileNames.hasContent(path + CompanionFile.journal)
    else {
      throw SQLiteError(
        code: SQLITE_CANTOPEN,
        message: "\(fact), and its -wal holds rows: copy both to a writable directory and serve that")
    }
    guard ReadOnlyFileSystem.isFrozen(path) else {
      throw SQLiteError(
        code: SQLITE_CANTOPEN,
        message:
          "\(fact), and another process may write to it elsewhere: serve it where its application opens it, or a copy in "
          + "a writable directory; where nothing writes, sqlite3 'file:NAME?immutable=1' opens it")
    }
  }

  /// Reads a large database that is to be copied once without a lock, so that the snapshot has but to compare it: see
  /// `DatabaseCopy`. Of a smaller one, and of one in WAL mode, nothing.
  ///
  /// - Parameter size: from which on it is large, in bytes.
  /// - Throws: what reading says, and the spool.
  package func readAhead(
    from size: UInt64 = DatabaseCopy.readAheadSize, _ team: ThreadTeam
  ) throws(SQLiteError) {
    guard journalMode != "wal" else { return }
    switch connection {
    case .some(let connection):
      guard try connection.databaseFile().size() >= size else { return }
      var copy = try DatabaseCopy(of: connection, names, options, memory, isLarge: true)
      try copy.readAhead(connection, team)
      self.copy = copy
    case nil: throw Self.isTaken
    }
  }

  private static let isTaken = SQLiteError(
    code: SQLITE_MISUSE, message: "the snapshot was taken already")

  /// Takes the snapshot: pins a database in WAL mode, copies any other. Once.
  ///
  /// - Parameters:
  ///   - needsContent: whether it will be read; what would be copied is only described else.
  ///   - team: of what is to be copied; nil for a team of its own.
  /// - Throws: what SQLite says.
  package func snapshot(needsContent: Bool = true, _ team: ThreadTeam? = nil) throws(SQLiteError) -> Snapshot
  {
    if journalMode != "wal", needsContent { return try copied(team ?? ThreadTeam(named: "copy")) }
    guard let connection = connection.take() else { throw Self.isTaken }
    if isImmutable { return try Snapshot(immutable: connection, names) }
    guard journalMode == "wal" else {
      return try Snapshot(describing: connection, journalMode: journalMode, names, options)
    }
    do throws(SQLiteError) { return try Snapshot(pinning: connection, names) } catch {
      // A -shm on which no process has a lock is one that SQLite would make again.
      if error.reason == .permission, ReadOnlyFileSystem.isReadOnly(names.path) {
        try Self.checkFrozen(names.path)
      }
      throw error
    }
  }

  private func copied(_ team: ThreadTeam) throws(SQLiteError) -> Snapshot {
    guard let connection = connection.take() else { throw Self.isTaken }
    let begun: DatabaseCopy
    if let copy = copy.take() {
      begun = copy
    } else {
      begun = try DatabaseCopy(of: connection, names, options, memory)
    }
    do throws(SQLiteError) {
      return try Snapshot(copying: connection, begun, journalMode: journalMode, names, team)
    } catch {
      // Once its name leads to another file, SQLite may have found that one's WAL, and what it says means nothing.
      try names.checkDatabase()
      guard error == .becameWAL else { throw error }
      return try reopened().snapshot(team)
    }
  }

  /// Opens it again, which is in WAL mode now.
  ///
  /// - Throws: `becameWAL` if it is not any more; what opening it says.
  private func reopened() throws(SQLiteError) -> Database {
    let deadline = ContinuousClock.now + options.busyTimeout
    while true {
      do throws(SQLiteError) {
        let database = try Database(path: names.path, options, memory)
        try names.checkDatabase()
        guard database.journalMode == "wal" else { throw .becameWAL }
        return database
      } catch  where error.reason == .locked && .now < deadline && !Task.isCancelled {
        FileSystem.pause()
      }
    }
  }
}
