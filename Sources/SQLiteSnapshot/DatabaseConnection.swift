import CSQLite
import System

/// A connection to one database, closed when its owner goes.
///
/// The corresponding C type is `sqlite3`. Used by one thread at a time (`SQLITE_OPEN_NOMUTEX`).
@safe struct DatabaseConnection: ~Copyable {
  let handle: OpaquePointer
  /// Kept for the busy handler, which has a pointer to it.
  let busy: BusyHandler
  /// That the database file was probably opened as: SQLite may have used one that it had.
  let likelyDescriptor: CInt

  /// - Parameter name: a path, or a URI if the flags say so.
  static func open(
    _ name: BytePath, _ flags: Int32, in vfs: String? = nil, busyTimeout: Duration
  ) throws(SQLiteError) -> DatabaseConnection {
    _ = Self.readsByOffset
    var opened: OpaquePointer?
    let flags = flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE
    let code = unsafe sqlite3_open_v2(name.cString, &opened, flags, vfs)
    guard code == SQLITE_OK, let handle = unsafe opened else {
      let error = unsafe SQLiteError(code, of: opened)
      unsafe sqlite3_close_v2(opened)
      throw error
    }
    let descriptor = lastOpened()
    let busy = BusyHandler(timeout: busyTimeout)
    unsafe busy.install(on: handle)
    return unsafe DatabaseConnection(handle: handle, busy: busy, likelyDescriptor: descriptor)
  }

  /// Not to become a part of what calls it: each file of Swift has the header's variables by itself, and SQLite was configured in
  /// this one.
  @inline(never) private static func lastOpened() -> CInt { csqlite_last_opened() }

  /// Configures SQLite, once in the process and before it is used.
  ///
  /// Whether several threads may read one file of its VFS at once.
  static let readsByOffset = csqlite_configure() != 0

  /// Runs `body`, and lets each read that it does on this thread wait for what is to be read.
  static func awaiting<Value>(
    _ written: WrittenPart, _ limit: CheckLimit, _ body: () throws(SQLiteError) -> Value
  ) throws(SQLiteError) -> Value {
    let waiting = Waiting(written: written, limit: limit)
    setAwait(waiting)
    defer {
      setAwait(nil)
      withExtendedLifetime(waiting) {}
    }
    return try body()
  }

  /// As `lastOpened`.
  @inline(never) private static func setAwait(_ waiting: Waiting?) {
    unsafe csqlite_set_await(
      waiting == nil
        ? nil
        : { context, end in
          guard let context = unsafe context else { return 1 }
          return unsafe Unmanaged<Waiting>.fromOpaque(context).takeUnretainedValue().wait(for: end) ? 1 : 0
        }, waiting.map { unsafe Unmanaged.passUnretained($0).toOpaque() })
  }

  private final class Waiting {
    private let written: WrittenPart
    private let limit: CheckLimit

    init(written: WrittenPart, limit: CheckLimit) {
      self.written = written
      self.limit = limit
    }

    func wait(for end: UInt64) -> Bool {
      written.isThere(end) || limit.pausing { written.wait(for: end) }
    }
  }

  private init(handle: OpaquePointer, busy: BusyHandler, likelyDescriptor: CInt) {
    unsafe self.handle = handle
    self.busy = busy
    self.likelyDescriptor = likelyDescriptor
  }

  deinit { unsafe sqlite3_close_v2(handle) }

  /// How long another connection's lock is waited for from now on, each time one is met.
  func setBusyTimeout(_ timeout: Duration) { busy.timeout = timeout }

  /// Frees the pages that it keeps and does not need now. The corresponding C function is `sqlite3_db_release_memory`.
  func releaseMemory() { _ = unsafe sqlite3_db_release_memory(handle) }

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
      guard code != SQLITE_NOMEM else { throw unsafe SQLiteError(code, of: handle) }
      return ""
    } ?? ""
  }

  /// Reads a statement's rows, as text, until `body` returns false.
  ///
  /// - Parameter body: is given the columns; empty for what is nothing.
  func forEach(_ sql: String, _ body: ([String]) -> Bool) throws(SQLiteError) {
    try unsafe step(sql, body) { statement in
      (0..<(unsafe sqlite3_column_count(statement))).map { column in
        unsafe sqlite3_column_text(statement, column).map { unsafe String(cString: $0) } ?? ""
      }
    }
  }

  /// Runs a statement, and says of each row whether its first column is something: neither NULL nor 0, no text of that, and not empty.
  ///
  /// - Parameter body: answers whether to go on.
  func forEachVerdict(_ sql: String, _ body: (Bool) -> Bool) throws(SQLiteError) {
    try unsafe step(sql, body) { statement in
      switch unsafe sqlite3_column_type(statement, 0) {
      case SQLITE_NULL: return false
      case SQLITE_INTEGER, SQLITE_FLOAT: return unsafe sqlite3_column_double(statement, 0) != 0
      case SQLITE_BLOB: return unsafe sqlite3_column_bytes(statement, 0) > 0
      default:
        guard let text = unsafe sqlite3_column_text(statement, 0) else { return false }
        let bytes = unsafe UnsafeBufferPointer(start: text, count: Int(sqlite3_column_bytes(statement, 0)))
        let decoded = unsafe String(decoding: bytes, as: UTF8.self)
        // To SQLite, 0x0 in a text is no number.
        return !decoded.isEmpty && (decoded.lowercased().contains("x") || Double(decoded) != 0)
      }
    }
  }

  private func step<Row>(
    _ sql: String, _ body: (Row) -> Bool, reading: (OpaquePointer?) -> Row
  ) throws(SQLiteError) {
    var statement: OpaquePointer?
    try unsafe check(sqlite3_prepare_v2(handle, sql, -1, &statement, nil))
    defer { unsafe sqlite3_finalize(statement) }
    while true {
      let code = unsafe sqlite3_step(statement)
      guard code == SQLITE_ROW else {
        guard code == SQLITE_DONE else { throw unsafe SQLiteError(code, of: handle) }
        return
      }
      let row = unsafe reading(statement)
      // As there is no text where there is no memory for it.
      guard unsafe sqlite3_errcode(handle) != SQLITE_NOMEM else {
        throw unsafe SQLiteError(SQLITE_NOMEM, of: handle)
      }
      guard body(row) else { return }
    }
  }

  /// Whether a text is one statement, which changes no database. The corresponding C function is `sqlite3_stmt_readonly`.
  ///
  /// - Throws: what SQLite says of the first statement.
  func isReadOnly(_ sql: String) throws(SQLiteError) -> Bool {
    let (code, isReadOnly) = unsafe sql.withCString { text in
      var statement: OpaquePointer?
      var rest: UnsafePointer<CChar>?
      let code = unsafe sqlite3_prepare_v2(handle, text, -1, &statement, &rest)
      let isReadOnly = unsafe statement != nil && sqlite3_stmt_readonly(statement) != 0
      unsafe sqlite3_finalize(statement)
      guard code == SQLITE_OK, isReadOnly else { return (code, false) }
      // Blanks and comments are no statement.
      let hasMore =
        unsafe sqlite3_prepare_v2(handle, rest, -1, &statement, nil) != SQLITE_OK || statement != nil
      unsafe sqlite3_finalize(statement)
      return (code, !hasMore)
    }
    try check(code)
    return isReadOnly
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
      guard code == SQLITE_DONE else { throw unsafe SQLiteError(code, of: handle) }
      return nil
    }
    return try unsafe read(statement)
  }

  /// - Throws: what SQLite says of a call that did not succeed.
  func check(_ code: Int32) throws(SQLiteError) {
    guard code != SQLITE_OK else { return }
    throw unsafe SQLiteError(code, of: handle)
  }
}
