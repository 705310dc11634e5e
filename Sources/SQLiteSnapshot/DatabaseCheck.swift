internal import CSQLite
internal import Glibc

/// Looks whether a database file that nobody else knows of is whole. The file may be hostile: it is read read-only, without
/// locks, log and journal (`immutable`), and nothing in its schema is trusted.
public enum DatabaseCheck {
  /// Runs `PRAGMA quick_check`.
  ///
  /// - Parameter path: absolute.
  /// - Returns: the first fault in SQLite's words; nil if there is none.
  /// - Throws: what SQLite says of a file that cannot be read at all.
  public static func quick(_ path: String) throws(SQLiteError) -> String? {
    try fault(try Connection.untrusted(path), "quick_check")
  }

  /// Runs `PRAGMA integrity_check`, which compares indexes with their tables, too.
  ///
  /// - Returns: the first fault, and the first table with a foreign key that leads nowhere; nil for what there is not. The
  ///   latter is what the application wrote: SQLite enforces foreign keys only for who asks it to.
  /// - Throws: what `quick` throws.
  public static func thorough(_ path: String) throws(SQLiteError) -> (fault: String?, strayKey: String?) {
    let connection = try Connection.untrusted(path)
    if let fault = try fault(connection, "integrity_check") { return (fault, nil) }
    let table = try connection.text("PRAGMA foreign_key_check")
    return (nil, table.isEmpty ? nil : table)
  }

  private static func fault(_ connection: borrowing Connection, _ pragma: String) throws(SQLiteError)
    -> String?
  {
    let answer = try connection.text("PRAGMA \(pragma)(1)")
    return answer == "ok" ? nil : answer
  }
}

/// A file for `DatabaseCheck` alone, in a folder of its own; both go with this object.
public final class CheckedFile {
  /// The absolute path.
  public let path: String
  private let folder: String
  private let descriptor: CInt

  /// Makes an empty one.
  public init(in directory: String) throws(SQLiteError) {
    folder = try temporaryFolder(in: directory)
    path = folder + "/check.db"
    descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      let reason = errno
      unsafe rmdir(folder)
      throw SQLiteError(code: SQLITE_CANTOPEN, message: "no spool in \(directory): \(describe(reason))")
    }
  }

  /// Adds bytes. The corresponding C function is `write`.
  ///
  /// - Throws: `SQLITE_FULL`, most often, for a disk that is.
  public func append(_ bytes: [UInt8]) throws(SQLiteError) {
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBufferPointer { bytes in
        unsafe write(descriptor, bytes.baseAddress! + written, bytes.count - written)
      }
      guard count > 0 || errno == EINTR else {
        throw SQLiteError(
          code: SQLITE_FULL, message: "no room to check it in: \(describe(errno)); see --spool-directory")
      }
      written += max(count, 0)
    }
  }

  deinit {
    close(descriptor)
    unsafe unlink(path)
    unsafe rmdir(folder)
  }
}
