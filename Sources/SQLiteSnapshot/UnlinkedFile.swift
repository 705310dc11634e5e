import CSQLite
import Glibc

/// A file of the spool directory that has lost its name already, lest it should outlive this process.
final class UnlinkedFile {
  private let descriptor: CInt

  /// - Parameter byteCount: how much is to be written.
  /// - Throws: `SQLITE_CANTOPEN` with what the system says of the directory; `SQLITE_FULL` if it has no room for so much.
  init(in directory: String, byteCount: UInt64) throws(SQLiteError) {
    try requireRoom(for: byteCount, in: directory)
    let folder = try temporaryFolder(in: directory)
    defer { unsafe rmdir(folder) }
    let path = folder + "/copy"
    descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw SQLiteError(
        code: SQLITE_CANTOPEN, message: "no file can be made in \(directory): \(describe(errno))")
    }
    guard unsafe unlink(path) == 0 else {
      throw SQLiteError(
        code: SQLITE_CANTOPEN, message: "no name can be removed from \(directory): \(describe(errno))")
    }
  }

  deinit { close(descriptor) }

  /// Writes all of the bytes. The corresponding C function is `pwrite`.
  ///
  /// - Throws: `SQLITE_FULL`, for a disk that is, a quota or a limit.
  func write(_ bytes: [UInt8], at offset: UInt64) throws(SQLiteError) {
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe pwrite(
          descriptor, buffer.baseAddress.map { unsafe $0 + written }, bytes.count - written,
          off_t(offset) + off_t(written))
      }
      guard count > 0 || errno == EINTR else {
        throw SQLiteError(
          code: SQLITE_FULL, message: "no room to copy it: \(describe(errno)); see --spool-directory")
      }
      written += max(count, 0)
    }
  }

  /// The `count` bytes from `offset` on, which have been written. The corresponding C function is `pread`.
  ///
  /// - Throws: `SQLITE_IOERR`.
  func read(_ count: Int, at offset: UInt64) throws(SQLiteError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let read = unsafe bytes.withUnsafeMutableBytes { buffer in
        unsafe pread(
          descriptor, buffer.baseAddress.map { unsafe $0 + done }, count - done, off_t(offset) + off_t(done))
      }
      if read < 0, errno == EINTR { continue }
      guard read > 0 else {
        throw SQLiteError(
          code: SQLITE_IOERR,
          message: "the copy cannot be read: \(read < 0 ? describe(errno) : "it became shorter")")
      }
      done += read
    }
    return bytes
  }
}
