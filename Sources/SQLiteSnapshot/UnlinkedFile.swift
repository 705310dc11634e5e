import CSQLite
import System

/// A file of the spool directory that has lost its name already, lest it should outlive this process.
final class UnlinkedFile: Sendable {
  private let descriptor: Descriptor

  /// - Parameter byteCount: how much is to be written.
  /// - Throws: `SQLITE_CANTOPEN` with what the system says of the directory; `SQLITE_FULL` if it has no room for so much.
  init(in directory: String, byteCount: UInt64) throws(SQLiteError) {
    try requireRoom(for: byteCount, in: directory)
    let folder = try temporaryFolder(in: directory)
    defer { FileSystem.removeDirectory(folder) }
    let path = folder.appending("copy")
    do { descriptor = try FileSystem.makeFile(path) } catch {
      throw SQLiteError(
        code: SQLITE_CANTOPEN,
        message: "no file can be made in \(directory): \(SystemCalls.describe(error.errno))")
    }
    do throws(SQLiteError) { try removeName(path, in: directory) } catch {
      // Once more, lest it be left.
      try? FileSystem.remove(path)
      throw error
    }
  }

  /// Clones a file into an empty one without a name: the two share their blocks until one of them is written to.
  ///
  /// The corresponding C constant is `FICLONE`: ioctl_ficlone(2). No descriptor of the file is opened or closed.
  /// - Returns: nil if their file system cannot do that.
  init?(cloning file: CInt, into descriptor: consuming Descriptor) {
    guard csqlite_clone(descriptor.rawValue, file) == 0 else { return nil }
    self.descriptor = descriptor
  }

  /// Writes all of the bytes, or a range of them.
  ///
  /// - Throws: `SQLITE_FULL`, for a disk that is, a quota or a limit.
  func write(_ bytes: [UInt8], _ range: Range<Int>? = nil, at offset: UInt64) throws(SQLiteError) {
    do { try descriptor.write(bytes, range, at: offset) } catch {
      throw SQLiteError(
        code: SQLITE_FULL,
        message: "no room in the spool directory to copy it: \(SystemCalls.describe(error.errno))")
    }
  }

  /// The `count` bytes from `offset` on, which have been written.
  ///
  /// - Throws: `SQLITE_IOERR`.
  func read(_ count: Int, at offset: UInt64) throws(SQLiteError) -> [UInt8] {
    let bytes: [UInt8]
    do { bytes = try descriptor.read(count, at: offset) } catch { throw Self.unreadable(error) }
    guard bytes.count == count else {
      throw SQLiteError(code: SQLITE_IOERR, message: "the copy cannot be read: it became shorter")
    }
    return bytes
  }

  /// Fills the first `count` bytes of `buffer` from `offset` on.
  ///
  /// - Returns: how many of them have been written.
  /// - Throws: `SQLITE_IOERR`.
  func read(into buffer: inout [UInt8], _ count: Int, at offset: UInt64) throws(SQLiteError) -> Int {
    do { return try descriptor.read(into: &buffer, count, at: offset) } catch { throw Self.unreadable(error) }
  }

  private static func unreadable(_ error: SystemError) -> SQLiteError {
    SQLiteError(code: SQLITE_IOERR, message: "the copy cannot be read: \(SystemCalls.describe(error.errno))")
  }
}
