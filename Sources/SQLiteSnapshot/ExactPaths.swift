import CSQLite
import Glibc

/// SQLite's own VFS, but that a path is opened as it was given, and that nothing is deleted.
///
/// SQLite would first find out where the links in it lead, and open that path afterwards: by then it may lead elsewhere.
/// Paths below `/proc/self/fd`, which lead to a directory that is held open, would be lost. The last name is not followed if
/// it is a link: `O_NOFOLLOW` is always set.
///
/// Beside an empty database even a read-only connection would delete a WAL, which may be all that is left of the content.
///
/// The corresponding C type is `sqlite3_vfs`.
enum ExactPaths {
  /// To be opened with; nil if SQLite has no VFS at all, and nothing can be opened then.
  static let name: String? = {
    guard let system = unsafe sqlite3_vfs_find(nil) else { return nil }
    // For ever, as SQLite wants it.
    let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
    unsafe vfs.initialize(to: system.pointee)
    let name = "exact-paths"
    unsafe vfs.pointee.zName = UnsafePointer(strdup(name))
    unsafe vfs.pointee.pNext = nil
    unsafe vfs.pointee.xFullPathname = { _, path, size, output in
      guard let path = unsafe path, let output = unsafe output, unsafe strlen(path) < Int(size) else {
        return SQLITE_CANTOPEN
      }
      unsafe strcpy(output, path)
      return SQLITE_OK
    }
    unsafe vfs.pointee.xDelete = { _, _, _ in SQLiteError.deleteFailed }
    return unsafe sqlite3_vfs_register(vfs, 0) == SQLITE_OK ? name : nil
  }()
}
