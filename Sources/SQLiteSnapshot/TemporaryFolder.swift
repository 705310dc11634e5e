import CSQLite
import Glibc
import System

/// Makes a folder that only we can enter. The corresponding C function is `mkdtemp`.
func temporaryFolder(in directory: String) throws(SQLiteError) -> String {
  var template = Array((directory + "/sluice-XXXXXX").utf8CString)
  let isMade = unsafe mkdtemp(&template) != nil
  let reason = errno
  guard isMade else {
    throw SQLiteError(
      code: SQLITE_CANTOPEN, message: "no spool in \(directory): \(describe(reason)); see --spool-directory")
  }
  return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Refuses a copy that the spool directory has no room for, before a byte of it is written: to fill the disk first would take
/// it from the application, too.
///
/// - Throws: `SQLITE_FULL`.
func requireRoom(for byteCount: UInt64, in directory: String) throws(SQLiteError) {
  guard let space = FileSystemSpace(of: directory), space.available < byteCount else { return }
  throw SQLiteError(
    code: SQLITE_FULL,
    message:
      "no room to copy it: it has \(byteCount) bytes, and \(directory) has room for \(space.available); "
      + "see --spool-directory")
}
