import CSQLite
import Glibc

/// A connection to one database, closed when its owner goes.
///
/// The corresponding C type is `sqlite3`. Used by one thread at a time (`SQLITE_OPEN_NOMUTEX`).
@safe struct Connection: ~Copyable {
  private let handle: OpaquePointer
  /// Kept for the busy handler, which has a pointer to it.
  private let busy: BusyHandler
  /// That the database file was probably opened as: SQLite may have used one that it had.
  let likelyDescriptor: CInt

  /// Opens a database that is there already, to read it and nothing else. A symbolic link is refused.
  ///
  /// - Parameter busyTimeout: how long a lock of somebody else's is waited for, each time one is met.
  static func reading(_ path: String, busyTimeout: Duration) throws(SQLiteError) -> Connection {
    let connection = try open(path, SQLITE_OPEN_READONLY, in: ExactPaths.name, busyTimeout: busyTimeout)
    // The last connection to close would otherwise move the log into the database and delete it.
    try unsafe connection.check(csqlite_no_checkpoint_on_close(connection.handle))
    // Most pragmas read the schema, which may be damaged without harm here: then they ignore it.
    try connection.execute("PRAGMA writable_schema=ON")
    return connection
  }

  /// Opens a database on a read-only file system that no process can change: without locks, log and journal.
  ///
  /// The corresponding URI parameter is `immutable`.
  static func immutable(_ path: String) throws(SQLiteError) -> Connection {
    let connection = try open(
      uri(path) + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, in: ExactPaths.name,
      busyTimeout: .zero)
    try connection.execute("PRAGMA writable_schema=ON")
    return connection
  }

  private static func uri(_ path: String) -> String {
    var name = "file:"
    for scalar in path.unicodeScalars {
      name += "%?#".unicodeScalars.contains(scalar) ? "%" + String(scalar.value, radix: 16) : String(scalar)
    }
    return name
  }

  /// Opens a database from outside that is in memory, to look at it. The corresponding C function is
  /// `sqlite3_deserialize`.
  ///
  /// - Parameter bytes: stay where they are until the connection is closed.
  static func untrusted(_ bytes: UnsafeMutableBufferPointer<UInt8>) throws(SQLiteError) -> Connection {
    let connection = try open(":memory:", SQLITE_OPEN_READWRITE, busyTimeout: .zero)
    let count = Int64(bytes.count)
    try unsafe connection.check(
      sqlite3_deserialize(
        connection.handle, "main", bytes.baseAddress, count, count,
        UInt32(SQLITE_DESERIALIZE_READONLY)))
    try connection.distrust()
    return connection
  }

  /// Opens a database file from outside that nobody uses, to look at it.
  static func untrusted(_ path: String) throws(SQLiteError) -> Connection {
    let connection = try open(
      uri(path) + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOFOLLOW,
      busyTimeout: .zero
    )
    try connection.distrust()
    return connection
  }

  /// What https://www.sqlite.org/security.html advises for a database from outside.
  private func distrust() throws(SQLiteError) {
    _ = Self.isHeapLimited
    try unsafe check(csqlite_distrust(handle))
    _ = unsafe sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, Int32(Self.untrustedHeapSize))
    _ = unsafe sqlite3_limit(handle, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, Self.untrustedPatternSize)
    // A check of constraints would evaluate what somebody else has written.
    try execute("PRAGMA ignore_check_constraints=ON; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0")
  }

  /// Ends what it runs once a limit is reached, with `SQLITE_INTERRUPT`. The corresponding C function is
  /// `sqlite3_progress_handler`.
  ///
  /// - Parameter limit: lives as long as the connection.
  func install(_ limit: CheckLimit) {
    unsafe sqlite3_progress_handler(
      handle, Self.operationsPerLook,
      { context in
        guard let context = unsafe context else { return 0 }
        return unsafe Unmanaged<CheckLimit>.fromOpaque(context).takeUnretainedValue().isReached ? 1 : 0
      }, Unmanaged.passUnretained(limit).toOpaque())
  }

  /// A look at the clock costs as much as some of these virtual machine operations.
  private static let operationsPerLook: Int32 = 1000

  /// Lets expressions and indexes be used whose collations and functions only the application has, and lets a schema be
  /// read of which a part cannot be understood.
  ///
  /// - Parameter standIns: lives as long as the connection.
  func install(_ standIns: StandIns) throws(SQLiteError) {
    try unsafe check(csqlite_tolerate_schema(handle))
    try unsafe check(standIns.install(on: handle))
  }

  /// Adds a function that always returns NULL. The corresponding C function is `sqlite3_create_function_v2`.
  func addStandIn(function name: String) throws(SQLiteError) {
    try unsafe check(StandIns.add(function: name, to: handle))
  }

  /// What SQLite may allocate, in bytes, once a process has opened a database from outside. A sound one needs a few MiB, and
  /// as much as its longest indexed value.
  private static let untrustedHeapSize: Int64 = 256 << 20
  /// In bytes: a comparison may take time exponential in the length.
  private static let untrustedPatternSize: Int32 = 1000
  private static let isHeapLimited: Void = { _ = sqlite3_hard_heap_limit64(untrustedHeapSize) }()

  /// Opens an empty database that a copy is written into; nobody else will know of it.
  ///
  /// - Parameter name: a path, or a URI of the `memdb` VFS.
  static func scratch(_ name: String) throws(SQLiteError) -> Connection {
    let connection = try open(
      name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, busyTimeout: .zero)
    // It is thrown away whole if anything fails: no journal, no syncs.
    try connection.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-256")
    return connection
  }

  private static func open(
    _ name: String, _ flags: Int32, in vfs: String? = nil, busyTimeout: Duration
  ) throws(SQLiteError) -> Connection {
    _ = isConfigured
    var opened: OpaquePointer?
    let flags = flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE
    let code = unsafe sqlite3_open_v2(name, &opened, flags, vfs)
    guard code == SQLITE_OK, let handle = unsafe opened else {
      let error = unsafe self.error(code, opened)
      unsafe sqlite3_close_v2(opened)
      throw error
    }
    let descriptor = csqlite_last_opened()
    let busy = BusyHandler(timeout: busyTimeout)
    unsafe busy.install(on: handle)
    return unsafe Connection(handle: handle, busy: busy, likelyDescriptor: descriptor)
  }

  /// Once in the process, before SQLite is used.
  static let isConfigured: Void = csqlite_configure()

  private init(handle: OpaquePointer, busy: BusyHandler, likelyDescriptor: CInt) {
    unsafe self.handle = handle
    self.busy = busy
    self.likelyDescriptor = likelyDescriptor
  }

  deinit { unsafe sqlite3_close_v2(handle) }

  /// How long somebody else's lock is waited for from now on, each time one is met.
  func setBusyTimeout(_ timeout: Duration) { busy.timeout = timeout }

  /// Runs statements whose rows are of no interest. The corresponding C function is `sqlite3_exec`.
  func execute(_ sql: String) throws(SQLiteError) {
    try unsafe check(sqlite3_exec(handle, sql, nil, nil, nil))
  }

  /// The first column of a statement's first row, as text; empty if there is no row, or nothing in it.
  func text(_ sql: String) throws(SQLiteError) -> String {
    try unsafe first(sql) { (statement) throws(SQLiteError) in
      if let text = unsafe sqlite3_column_text(statement, 0) { return unsafe String(cString: text) }
      // As there is none where there is no memory for it.
      let code = unsafe sqlite3_errcode(handle)
      guard code != SQLITE_NOMEM else { throw unsafe Self.error(code, handle) }
      return ""
    } ?? ""
  }

  /// Reads a statement's rows, as text, until `body` returns false.
  ///
  /// - Parameter body: is given the columns; empty for what is nothing.
  func forEach(_ sql: String, _ body: ([String]) -> Bool) throws(SQLiteError) {
    var statement: OpaquePointer?
    try unsafe check(sqlite3_prepare_v2(handle, sql, -1, &statement, nil))
    defer { unsafe sqlite3_finalize(statement) }
    while true {
      let code = unsafe sqlite3_step(statement)
      guard code == SQLITE_ROW else {
        guard code == SQLITE_DONE else { throw unsafe Self.error(code, handle) }
        return
      }
      let columns = (0..<(unsafe sqlite3_column_count(statement))).map { column in
        unsafe sqlite3_column_text(statement, column).map { unsafe String(cString: $0) } ?? ""
      }
      // As there is no text where there is no memory for it.
      guard unsafe sqlite3_errcode(handle) != SQLITE_NOMEM else {
        throw unsafe Self.error(SQLITE_NOMEM, handle)
      }
      guard body(columns) else { return }
    }
  }

  /// The first column of a statement's first row, as a number; 0 if there is no row.
  func number(_ sql: String) throws(SQLiteError) -> Int {
    try unsafe first(sql) { unsafe Int(sqlite3_column_int64($0, 0)) } ?? 0
  }

  /// Reads a statement's first row; nil if there is none.
  private func first<Value>(
    _ sql: String, _ read: (OpaquePointer?) throws(SQLiteError) -> Value
  ) throws(SQLiteError) -> Value? {
    var statement: OpaquePointer?
    try unsafe check(sqlite3_prepare_v2(handle, sql, -1, &statement, nil))
    defer { unsafe sqlite3_finalize(statement) }
    let code = unsafe sqlite3_step(statement)
    guard code == SQLITE_ROW else {
      guard code == SQLITE_DONE else { throw unsafe Self.error(code, handle) }
      return nil
    }
    return try unsafe read(statement)
  }

  /// The database file, as SQLite itself has it open. It lives as long as the connection.
  ///
  /// The corresponding C constant is `SQLITE_FCNTL_FILE_POINTER`.
  func databaseFile() throws(SQLiteError) -> OpenFile {
    try file(SQLITE_FCNTL_FILE_POINTER)
  }

  /// The write-ahead log of a connection in WAL mode that has read something.
  ///
  /// The corresponding C constant is `SQLITE_FCNTL_JOURNAL_POINTER`.
  func logFile() throws(SQLiteError) -> OpenFile {
    try file(SQLITE_FCNTL_JOURNAL_POINTER)
  }

  /// Whether the database's name leads to another file by now.
  ///
  /// The corresponding C constant is `SQLITE_FCNTL_HAS_MOVED`.
  func hasMoved() throws(SQLiteError) -> Bool {
    var hasMoved: Int32 = 0
    try unsafe check(sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &hasMoved))
    return hasMoved != 0
  }

  private func file(_ operation: Int32) throws(SQLiteError) -> OpenFile {
    var file: UnsafeMutablePointer<sqlite3_file>?
    try unsafe check(sqlite3_file_control(handle, "main", operation, &file))
    guard let file = unsafe file, let methods = unsafe file.pointee.pMethods else {
      throw SQLiteError(code: SQLITE_CANTOPEN, message: "SQLite has no file open")
    }
    return unsafe OpenFile(file, methods)
  }

  /// Lets an in-memory database grow to `byteCount` bytes (`SQLITE_FCNTL_SIZE_LIMIT`).
  func limitSize(_ byteCount: Int64) throws(SQLiteError) {
    var limit = byteCount
    try unsafe check(sqlite3_file_control(handle, "main", SQLITE_FCNTL_SIZE_LIMIT, &limit))
  }

  /// Copies the whole of `source` into this database, which is empty. Each step has a lock of its own, between two of which
  /// writers have their turn.
  ///
  /// The corresponding C functions are `sqlite3_backup_init`, `_step` and `_finish`.
  /// - Parameters:
  ///   - pagesPerStep: pages copied under one lock; -1 for all.
  ///   - look: is asked under each lock, before and after the pages are copied, what the source is; nil if that cannot be told.
  /// - Returns: what the source was all the while; nil if it did not stay the same: then the copy is to be thrown away.
  /// - Throws: what SQLite says; what `look` throws.
  func copy<State: Equatable>(
    from source: borrowing Connection, pagesPerStep: Int32, look: () throws(SQLiteError) -> State?
  ) throws(SQLiteError) -> State? {
    guard let backup = unsafe sqlite3_backup_init(handle, "main", source.handle, "main") else {
      throw unsafe Self.error(sqlite3_extended_errcode(handle), handle)
    }
    defer { unsafe sqlite3_backup_finish(backup) }
    var state: State?
    while true {
      if Task.isCancelled { throw SQLiteError(code: SQLITE_INTERRUPT, message: "called off") }
      // SQLite counts its attempts from zero for each statement: every lock is waited for by itself.
      source.busy.isWaiting = false
      try source.execute("BEGIN; PRAGMA schema_version")
      let before = try look()
      let code = before == nil ? SQLITE_OK : unsafe sqlite3_backup_step(backup, pagesPerStep)
      let after = try look()
      try source.execute("COMMIT")
      switch code {
      case SQLITE_DONE, SQLITE_OK: break
      // The copy cannot follow: it has pages of the former size already.
      case SQLITE_READONLY: return nil
      default: throw SQLiteError(code: code, message: unsafe String(cString: sqlite3_errstr(code)))
      }
      // SQLite itself starts again from the first page when another process has committed, but only then.
      guard let before, before == after, before == state ?? before else { return nil }
      state = before
      if code == SQLITE_DONE { return state }
    }
  }

  private func check(_ code: Int32) throws(SQLiteError) {
    guard code != SQLITE_OK else { return }
    throw unsafe Self.error(code, handle)
  }

  private static func error(_ code: Int32, _ handle: OpaquePointer?) -> SQLiteError {
    // See `ExactPaths`: it would have deleted the log.
    if code == SQLiteError.deleteFailed {
      return SQLiteError(code: SQLITE_CORRUPT, message: "it is empty, and yet it has a write-ahead log")
    }
    var message = unsafe String(cString: sqlite3_errstr(code))
    if let handle = unsafe handle {
      if unsafe sqlite3_extended_errcode(handle) == code {
        message = unsafe String(cString: sqlite3_errmsg(handle))
      }
      let reason = unsafe sqlite3_system_errno(handle)
      if code & 0xff == SQLITE_CANTOPEN || code & 0xff == SQLITE_IOERR, reason != 0 {
        if code == SQLITE_CANTOPEN, reason == ELOOP {
          return SQLiteError(code: SQLiteError.cannotOpenSymlink, message: "\(message): \(describe(reason))")
        }
        // SQLite tells a missing file from a forbidden one in this number alone.
        if code == SQLITE_CANTOPEN, reason == EACCES || reason == EPERM {
          return SQLiteError(code: SQLITE_PERM, message: "\(message): \(describe(reason))")
        }
        message += ": \(describe(reason))"
        // Nothing is wrong with the database: the process has no more.
        if reason == EMFILE || reason == ENFILE { return SQLiteError(code: SQLITE_NOMEM, message: message) }
      }
    }
    return SQLiteError(code: code, message: message)
  }
}

/// Waits for other connections' locks: until a timeout, or until the task is cancelled.
///
/// SQLite's own `sqlite3_busy_timeout` would go on waiting for a client that has left.
private final class BusyHandler {
  var timeout: Duration
  private var start = ContinuousClock.now
  /// Whether `start` is that of the lock being waited for.
  var isWaiting = false

  init(timeout: Duration) { self.timeout = timeout }

  /// The corresponding C function is `sqlite3_busy_handler`.
  func install(on handle: OpaquePointer) {
    unsafe sqlite3_busy_handler(
      handle,
      { context, attempt in
        guard let context = unsafe context else { return 0 }
        return unsafe Unmanaged<BusyHandler>.fromOpaque(context).takeUnretainedValue().wait(attempt) ? 1 : 0
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  /// - Parameter attempt: how often it was called for this lock before.
  private func wait(_ attempt: Int32) -> Bool {
    if attempt == 0 || !isWaiting { start = .now }
    isWaiting = true
    guard ContinuousClock.now - start < timeout, !Task.isCancelled else { return false }
    // 1, 2, 4, 8, then every 16 ms: soon enough for a short lock, seldom enough for a long one.
    usleep(1000 << UInt32(min(attempt, 4)))
    return true
  }
}
