import CSQLite
import System

/// The ways of opening a database.
extension DatabaseConnection {
  /// Opens a database that is there already, to read it and nothing else. A symbolic link is refused.
  ///
  /// - Parameter busyTimeout: how long another connection's lock is waited for, each time one is met.
  static func reading(_ path: BytePath, busyTimeout: Duration) throws(SQLiteError) -> DatabaseConnection {
    let connection = try open(path, SQLITE_OPEN_READONLY, in: ExactPaths.name, busyTimeout: busyTimeout)
    // The last connection to close would otherwise checkpoint the WAL and delete it.
    try unsafe connection.check(csqlite_no_checkpoint_on_close(connection.handle))
    // Most pragmas read the schema, which may be damaged without harm here: then they ignore it. And a part of the file that
    // is mapped into memory would end this process when another cuts it off.
    try connection.execute("PRAGMA writable_schema=ON; PRAGMA mmap_size=0")
    return connection
  }

  /// Takes the lock to read, or the snapshot, with no look at the schema, which may be damaged without harm.
  ///
  /// - Throws: `corrupt` also if the file was cut short: while `writable_schema` is on, SQLite takes such a one for all that there
  ///   ever was.
  func beginReading() throws(SQLiteError) {
    try execute("PRAGMA writable_schema=OFF; BEGIN; PRAGMA schema_version; PRAGMA writable_schema=ON")
  }

  /// So often a journal is looked at that SQLite takes for a crashed writer's and that is in use.
  private static let journalAttempts = 7

  /// The same beside writers that commit and begin again just while SQLite looks, which then takes their journal for a crashed one's.
  ///
  /// - Throws: also what is to be said of that journal.
  func beginReading(of path: BytePath) throws(SQLiteError) {
    for attempt in 1... {
      do throws(SQLiteError) { return try beginReading() } catch {
        guard error.reason == .hotJournal else { throw error }
        try execute("ROLLBACK")
        let cause = try FileNames.cause(ofHotJournal: error, of: path)
        guard cause == .journalInUse, attempt < Self.journalAttempts else { throw cause }
      }
    }
  }

  /// Opens a database on a read-only file system that no process can change: without locks, WAL and journal.
  ///
  /// The corresponding URI parameter is `immutable`.
  static func immutable(_ path: BytePath) throws(SQLiteError) -> DatabaseConnection {
    let connection = try open(
      immutableURI(path), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, in: ExactPaths.name,
      busyTimeout: .zero)
    try connection.execute("PRAGMA writable_schema=ON")
    return connection
  }

  /// The URI of a file that no process changes: https://www.sqlite.org/uri.html §3.1.
  private static func immutableURI(_ path: BytePath) -> BytePath {
    let escaped = path.bytes.flatMap { byte in
      "%?#".utf8.contains(byte) ? Array(("%" + String(byte, radix: 16)).utf8) : [byte]
    }
    return "file:" + BytePath(escaped) + "?immutable=1"
  }

  /// Opens a database from outside that is in memory, and hands it on. The corresponding C function is
  /// `sqlite3_deserialize`.
  static func withUntrusted<Value>(
    _ bytes: inout [UInt8], _ body: (consuming DatabaseConnection) throws(SQLiteError) -> Value
  ) throws(SQLiteError) -> Value {
    try unsafe bytes.withUnsafeMutableBufferPointer { (bytes) throws(SQLiteError) in
      try body(try unsafe untrusted(bytes))
    }
  }

  /// - Parameter bytes: stay where they are until the connection is closed.
  private static func untrusted(
    _ bytes: UnsafeMutableBufferPointer<UInt8>
  ) throws(SQLiteError) -> DatabaseConnection {
    let connection = try open(":memory:", SQLITE_OPEN_READWRITE, busyTimeout: .zero)
    let count = Int64(bytes.count)
    try unsafe connection.check(
      sqlite3_deserialize(
        connection.handle, "main", bytes.baseAddress, count, count,
        UInt32(SQLITE_DESERIALIZE_READONLY)))
    try connection.distrust()
    return connection
  }

  /// Opens a database file from outside that no process uses, to look at it.
  static func untrusted(_ path: BytePath) throws(SQLiteError) -> DatabaseConnection {
    let connection = try open(
      immutableURI(path), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOFOLLOW,
      busyTimeout: .zero
    )
    try connection.distrust()
    return connection
  }
}
