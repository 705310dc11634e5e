internal import CSQLite
internal import Glibc

/// Looks whether a database that nobody else knows of is whole. It may be hostile: it is read read-only, without locks, log
/// and journal, and nothing in its schema is trusted.
public struct DatabaseCheck: ~Copyable {
  private let connection: Connection

  /// Looks at a file. The corresponding URI parameter is `immutable`.
  ///
  /// - Parameter path: absolute.
  public init(_ path: String) throws(SQLiteError) { connection = try Connection.untrusted(path) }

  fileprivate init(_ bytes: UnsafeMutableBufferPointer<UInt8>) throws(SQLiteError) {
    connection = try unsafe Connection.untrusted(bytes)
  }

  /// Runs `PRAGMA quick_check`.
  ///
  /// - Returns: the first fault in SQLite's words; nil if there is none.
  /// - Throws: what SQLite says of a database that cannot be read at all.
  public func quick() throws(SQLiteError) -> String? { try fault("quick_check") }

  /// Runs `PRAGMA integrity_check`, which compares indexes with their tables, too.
  ///
  /// - Returns: the first fault, and the first table with a foreign key that leads nowhere; nil for what there is not. The
  ///   latter is what the application wrote: SQLite enforces foreign keys only for who asks it to.
  /// - Throws: what `quick` throws.
  public func thorough() throws(SQLiteError) -> (fault: String?, strayKey: String?) {
    if let fault = try fault("integrity_check") { return (fault, nil) }
    let table = try connection.text("PRAGMA foreign_key_check")
    return (nil, table.isEmpty ? nil : table)
  }

  private func fault(_ pragma: String) throws(SQLiteError) -> String? {
    let answer = try connection.text("PRAGMA \(pragma)(1)")
    return answer == "ok" ? nil : answer
  }
}

/// A database that comes piece by piece and is to be looked at: in memory while it is small, then in a file.
public struct DatabaseSpool: ~Copyable {
  /// The most that is held in memory, in bytes.
  public static let memorySize = 4 << 20

  private let directory: String
  private var bytes: [UInt8] = []
  private var file: SpoolFile?

  /// Makes an empty one.
  ///
  /// - Parameter directory: where the file will be, if there is one.
  public init(in directory: String) { self.directory = directory }

  /// Adds bytes.
  ///
  /// - Throws: `SQLITE_FULL`, most often, for a disk that is; `SQLITE_CANTOPEN` when the file cannot be made.
  public mutating func append(_ piece: [UInt8]) throws(SQLiteError) {
    if file == nil, bytes.count + piece.count > Self.memorySize {
      let file = try SpoolFile(in: directory)
      try file.append(bytes)
      bytes = []
      self.file = file
    }
    if let file { try file.append(piece) } else { bytes += piece }
  }

  /// Hands a check of all that came on.
  public mutating func check<Result>(
    _ body: (borrowing DatabaseCheck) throws(SQLiteError) -> Result
  ) throws(SQLiteError) -> Result {
    if let file { return try body(try DatabaseCheck(file.path)) }
    // In memory there is no log, and SQLite opens no database there that says it has one: the header's versions, at offsets
    // 18 and 19, are set to those of a rollback journal. https://www.sqlite.org/c3ref/deserialize.html
    for index in 18...19 where bytes.count > index && bytes[index] == 2 { bytes[index] = 1 }
    let outcome = unsafe bytes.withUnsafeMutableBufferPointer { bytes in
      Swift.Result { () throws(SQLiteError) in try body(try unsafe DatabaseCheck(bytes)) }
    }
    return try outcome.get()
  }
}

/// A file in a folder of its own; both go with this object.
private final class SpoolFile {
  let path: String
  private let folder: String
  private let descriptor: CInt

  init(in directory: String) throws(SQLiteError) {
    folder = try temporaryFolder(in: directory)
    path = folder + "/check.db"
    descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      let reason = errno
      unsafe rmdir(folder)
      throw SQLiteError(code: SQLITE_CANTOPEN, message: "no spool in \(directory): \(describe(reason))")
    }
  }

  /// The corresponding C function is `write`.
  func append(_ bytes: [UInt8]) throws(SQLiteError) {
    var bytes = bytes[...]
    while !bytes.isEmpty {
      let count = unsafe bytes.withUnsafeBufferPointer { unsafe write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 || errno == EINTR else {
        throw SQLiteError(
          code: SQLITE_FULL, message: "no room to check it in: \(describe(errno)); see --spool-directory")
      }
      bytes = bytes.dropFirst(max(count, 0))
    }
  }

  deinit {
    close(descriptor)
    unsafe unlink(path)
    unsafe rmdir(folder)
  }
}
