import CSQLite
import System

/// Makes a folder that only we can enter.
///
/// - Throws: `SQLITE_CANTOPEN` with what the system says of the spool directory.
func temporaryFolder(in directory: String) throws(SQLiteError) -> BytePath {
  do { return try FileSystem.makeTemporaryFolder(in: BytePath(directory), prefix: "sluice-") } catch {
    throw SQLiteError(
      code: SQLITE_CANTOPEN,
      message: "the spool directory \(directory) cannot be used: \(SystemCalls.describe(error.errno))")
  }
}

/// Removes the name of a file that is open, lest it should outlive this process.
func removeName(_ path: BytePath, in directory: String) throws(SQLiteError) {
  do { try FileSystem.remove(path) } catch {
    throw SQLiteError(
      code: SQLITE_CANTOPEN,
      message: "no name can be removed from \(directory): \(SystemCalls.describe(error.errno))")
  }
}

/// Refuses a copy that the spool directory has no room for, before a byte of it is written: to fill the disk first would take
/// it from the application, too.
///
/// - Throws: `SQLITE_FULL`.
func requireRoom(for byteCount: UInt64, in directory: String) throws(SQLiteError) {
  guard let space = FileSystemSpace(of: BytePath(directory)), space.available < byteCount else { return }
  throw SQLiteError(
    code: SQLITE_FULL,
    message:
      "no room to copy it: it has \(byteCount) bytes, and the spool directory \(directory) has room for "
      + "\(space.available)")
}
