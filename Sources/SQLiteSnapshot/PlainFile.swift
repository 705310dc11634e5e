import CSQLite
import Glibc
package import System

/// A plain file, opened to be read through SQLite's VFS, in case it is a database that this process has pinned
/// under another name; closed when its owner goes.
@safe package final class PlainFile {
  private let memory: UnsafeMutableRawPointer
  private let name: sqlite3_filename
  private let file: VFSFile

  /// Opens a file. A symbolic link is refused.
  ///
  /// The corresponding C function is `xOpen` of `sqlite3_vfs`.
  /// - Throws: `SQLITE_CANTOPEN` when it cannot be opened.
  package init(path: BytePath) throws(SQLiteError) {
    let path = path.cString
    _ = DatabaseConnection.readsByOffset
    sqlite3_initialize()
    guard let vfs = unsafe sqlite3_vfs_find(nil), let open = unsafe vfs.pointee.xOpen,
      let memory = unsafe calloc(1, Int(vfs.pointee.szOsFile)),
      let name = unsafe sqlite3_create_filename(path, "", "", 0, nil)
    else { throw SQLiteError(code: SQLITE_NOMEM, message: "no memory to open a file") }
    let opened = unsafe memory.assumingMemoryBound(to: sqlite3_file.self)
    let code = unsafe open(vfs, name, opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, nil)
    let reason = errno
    guard code == SQLITE_OK, let methods = unsafe opened.pointee.pMethods else {
      unsafe free(memory)
      unsafe sqlite3_free_filename(name)
      throw SQLiteError(
        code: reason == EACCES || reason == EPERM
          ? SQLITE_PERM : reason == EMFILE || reason == ENFILE ? SQLITE_NOMEM : code,
        message: "unable to open the file: \(SystemCalls.describe(reason))")
    }
    unsafe self.memory = memory
    unsafe self.name = name
    file = unsafe VFSFile(opened, methods)
  }

  /// Whether the file at a path begins as SQLite's databases do.
  ///
  /// Not to be asked of a `-shm`: to close any descriptor of one drops the locks that this process has on it.
  ///
  /// https://www.sqlite.org/fileformat2.html §1.3.
  /// - Throws: `SQLITE_CANTOPEN`, `SQLITE_IOERR`: then it may be one.
  package static func isDatabase(_ path: BytePath) throws(SQLiteError) -> Bool {
    try PlainFile(path: path).isDatabase()
  }

  /// Whether it begins so now.
  ///
  /// - Throws: `SQLITE_IOERR`: then it may.
  package func isDatabase() throws(SQLiteError) -> Bool {
    try file.read(DatabaseHeader.magic.count, at: 0).bytes == DatabaseHeader.magic
  }

  /// Whether it is a database in WAL mode: fileformat2.html §1.3.3.
  func isInWALMode() throws(SQLiteError) -> Bool {
    try DatabaseHeader(of: file)?.isInWALMode ?? false
  }

  deinit {
    file.close()
    unsafe free(memory)
    unsafe sqlite3_free_filename(name)
  }

  /// Whether there is anything in it.
  package func isEmpty() throws(SQLiteError) -> Bool { try !file.read(1, at: 0).isWhole }

  /// The `count` bytes from `offset` on.
  ///
  /// - Throws: `SQLITE_READONLY_DBMOVED` when the file has become shorter than that.
  package func read(_ count: Int, at offset: UInt64) throws(SQLiteError) -> [UInt8] {
    let (bytes, isWhole) = try file.read(count, at: offset)
    guard isWhole else { throw SQLiteError.becameShorter }
    return bytes
  }
}
