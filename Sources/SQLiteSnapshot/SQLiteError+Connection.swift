import CSQLite
import Glibc
import System

extension SQLiteError {
  /// What SQLite says of a call on a connection that did not succeed.
  ///
  /// The corresponding C functions are `sqlite3_errmsg` and `sqlite3_system_errno`.
  init(_ code: Int32, of handle: OpaquePointer?) {
    // See `ExactPaths`: it would have deleted the WAL.
    if code == Self.deleteFailed {
      self.init(code: SQLITE_CORRUPT, message: "it is empty, and yet it has a write-ahead log")
      return
    }
    var message = unsafe String(cString: sqlite3_errstr(code))
    guard let handle = unsafe handle else {
      self.init(code: code, message: message)
      return
    }
    if unsafe sqlite3_extended_errcode(handle) == code {
      message = unsafe String(cString: sqlite3_errmsg(handle))
    }
    let reason = unsafe sqlite3_system_errno(handle)
    guard code & 0xff == SQLITE_CANTOPEN || code & 0xff == SQLITE_IOERR, reason != 0 else {
      self.init(code: code, message: message)
      return
    }
    self.init(
      code: Self.code(code, becauseOf: reason), message: "\(message): \(SystemCalls.describe(reason))")
  }

  /// The code that tells apart what SQLite tells apart by `errno` alone.
  private static func code(_ code: Int32, becauseOf reason: CInt) -> Int32 {
    switch reason {
    case ELOOP where code == SQLITE_CANTOPEN: cannotOpenSymlink
    case EACCES where code == SQLITE_CANTOPEN, EPERM where code == SQLITE_CANTOPEN: SQLITE_PERM
    // Nothing is wrong with the database: the process has no more.
    case EMFILE, ENFILE: SQLITE_NOMEM
    default: code
    }
  }
}
