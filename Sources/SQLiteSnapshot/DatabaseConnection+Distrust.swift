import CSQLite

/// What keeps a database from outside from doing harm, and lets it be judged without its application.
extension DatabaseConnection {
  /// What https://www.sqlite.org/security.html advises for a database from outside.
  func distrust() throws(SQLiteError) {
    _ = Self.isHeapLimited
    try unsafe check(csqlite_distrust(handle))
    _ = unsafe sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, Int32(Self.untrustedHeapSize))
    _ = unsafe sqlite3_limit(handle, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, Self.untrustedPatternSize)
    // A check of constraints would evaluate expressions from outside.
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
}
