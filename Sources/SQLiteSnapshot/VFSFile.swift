import CSQLite
import Glibc

/// A file as SQLite's VFS has it open: the only way in which a database's bytes may be read.
///
/// POSIX drops all of a process's locks on a file when *any* of its descriptors of that file is closed
/// (https://www.sqlite.org/howtocorrupt.html §2.2). SQLite's VFS knows this and keeps a descriptor open for as
/// long as a lock needs it; a descriptor of our own would not.
///
/// The corresponding C type is `sqlite3_file`.
@safe struct VFSFile {
  private let file: UnsafeMutablePointer<sqlite3_file>
  private let methods: UnsafePointer<sqlite3_io_methods>

  /// Wraps a file that its owner keeps open for as long as this value is used.
  init(_ file: UnsafeMutablePointer<sqlite3_file>, _ methods: UnsafePointer<sqlite3_io_methods>) {
    unsafe self.file = file
    unsafe self.methods = methods
  }

  /// Where it is, for other threads that read it while its owner waits for them: see `DatabaseConnection.readsByOffset`.
  ///
  /// `xRead` then changes nothing of the file that they share, but for the `errno` of a read that has failed (os_unix.c,
  /// `unixRead`), provided that no part of it is mapped into memory: `DatabaseConnection.reading` sees to that.
  struct Address: Sendable {
    fileprivate let file: UInt
    fileprivate let methods: UInt
  }

  var address: Address {
    Address(file: UInt(bitPattern: unsafe file), methods: UInt(bitPattern: unsafe methods))
  }

  /// The file at an address, which its owner keeps open for as long as this value is used.
  init?(at address: Address) {
    guard let file = unsafe UnsafeMutablePointer<sqlite3_file>(bitPattern: address.file),
      let methods = unsafe UnsafePointer<sqlite3_io_methods>(bitPattern: address.methods)
    else { return nil }
    unsafe self.init(file, methods)
  }

  /// Fills `buffer[range]` from `offset` on; what lies past the end of the file reads as zeros.
  ///
  /// The corresponding C function is `xRead` of `sqlite3_io_methods`.
  /// - Parameter range: in elements of `buffer`.
  /// - Returns: false if the file ended first.
  @discardableResult
  func read<Word: FixedWidthInteger>(
    into buffer: inout [Word], _ range: Range<Int>, at offset: UInt64
  ) throws(SQLiteError) -> Bool {
    let code = unsafe buffer.withUnsafeMutableBytes { bytes in
      let size = MemoryLayout<Word>.size
      let target = unsafe UnsafeMutableRawBufferPointer(
        rebasing: bytes[range.lowerBound * size..<range.upperBound * size])
      return unsafe methods.pointee.xRead(file, target.baseAddress, Int32(target.count), Int64(offset))
    }
    return try Self.isWhole(code)
  }

  /// The `count` bytes from `offset` on; what lies past the end of the file reads as zeros.
  ///
  /// The corresponding C function is `xRead` of `sqlite3_io_methods`.
  /// - Returns: false beside them if the file ended first.
  func read(_ count: Int, at offset: UInt64) throws(SQLiteError) -> (bytes: [UInt8], isWhole: Bool) {
    // Swift would write a count into the array that all empty ones are, whatever thread does: a race, if a harmless one.
    guard count > 0 else { return ([], true) }
    var code = SQLITE_OK
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      code = unsafe methods.pointee.xRead(file, buffer.baseAddress, Int32(count), Int64(offset))
      // SQLite fills with zeros what it could not read, unless the read itself has failed.
      initializedCount = code == SQLITE_OK || code == SQLiteError.shortRead ? count : 0
    }
    return (bytes, try Self.isWhole(code))
  }

  private static func isWhole(_ code: Int32) throws(SQLiteError) -> Bool {
    switch code {
    case SQLITE_OK: return true
    case SQLiteError.shortRead: return false
    default: throw SQLiteError(code: code, message: unsafe String(cString: sqlite3_errstr(code)))
    }
  }

  /// The size in bytes. The corresponding C function is `xFileSize` of `sqlite3_io_methods`.
  func size() throws(SQLiteError) -> UInt64 {
    var size: Int64 = 0
    let code = unsafe methods.pointee.xFileSize(file, &size)
    guard code == SQLITE_OK else {
      throw SQLiteError(code: code, message: unsafe String(cString: sqlite3_errstr(code)))
    }
    return UInt64(size)
  }

  /// The first words of the shared memory that a database in WAL mode has its wal-index in.
  ///
  /// The corresponding C function is `xShmMap` of `sqlite3_io_methods`. SQLite has the region mapped already.
  func sharedMemory(wordCount: Int) throws(SQLiteError) -> [UInt32] {
    let region = try unsafe sharedMemory().region
    return (0..<wordCount).map { unsafe region.load(fromByteOffset: $0 * 4, as: UInt32.self) }
  }

  /// Sets a word of it, which this connection has locked.
  ///
  /// - Returns: false if it may only be read.
  func setSharedMemory(word index: Int, _ value: UInt32) throws(SQLiteError) -> Bool {
    let (region, isWritable) = try unsafe sharedMemory()
    if isWritable { unsafe region.storeBytes(of: value, toByteOffset: index * 4, as: UInt32.self) }
    return isWritable
  }

  /// walformat.html §2: the index is mapped in units of 32 KiB.
  private static let sharedMemoryRegionSize: Int32 = 32768

  private func sharedMemory() throws(SQLiteError) -> (region: UnsafeMutableRawPointer, isWritable: Bool) {
    var region: UnsafeMutableRawPointer?
    let code = unsafe methods.pointee.xShmMap(file, 0, Self.sharedMemoryRegionSize, 0, &region)
    // Shared memory that may only be read comes with SQLITE_READONLY and is as good for reading.
    guard code & 0xff == SQLITE_OK || code & 0xff == SQLITE_READONLY, let region = unsafe region else {
      throw SQLiteError(code: code, message: unsafe String(cString: sqlite3_errstr(code)))
    }
    return unsafe (region, code & 0xff == SQLITE_OK)
  }

  /// Drops the mapped pages of the shared memory from this process's own: they stay what they are, and the next access maps them
  /// again. Of a thousand databases they are 32 MiB.
  ///
  /// The corresponding C function is `madvise` with `MADV_DONTNEED`.
  func dropSharedMemoryPages() {
    guard let region = try? unsafe sharedMemory().region else { return }
    unsafe madvise(region, Int(Self.sharedMemoryRegionSize), MADV_DONTNEED)
  }

  /// Whether another process holds one of the locks of a wal-index, as far as a look can tell: the lock is shared for as
  /// long as that takes. A process that asks for it just then finds it busy.
  ///
  /// The corresponding C function is `xShmLock` of `sqlite3_io_methods`.
  /// - Parameter index: of the lock: walformat.html §2.3.
  func isLocked(_ index: Int32) throws(SQLiteError) -> Bool {
    guard try lock(index, exclusively: false) else { return true }
    unlock(index, exclusively: false)
    return false
  }

  /// Takes one of the locks of a wal-index.
  ///
  /// - Returns: false if another connection holds it.
  func lock(_ index: Int32, exclusively: Bool) throws(SQLiteError) -> Bool {
    let code = unsafe methods.pointee.xShmLock(file, index, 1, SQLITE_SHM_LOCK | Self.kind(exclusively))
    switch code & 0xff {
    case SQLITE_OK: return true
    case SQLITE_BUSY: return false
    default: throw SQLiteError(code: code, message: unsafe String(cString: sqlite3_errstr(code)))
    }
  }

  func unlock(_ index: Int32, exclusively: Bool) {
    _ = unsafe methods.pointee.xShmLock(file, index, 1, SQLITE_SHM_UNLOCK | Self.kind(exclusively))
  }

  private static func kind(_ exclusively: Bool) -> Int32 {
    exclusively ? SQLITE_SHM_EXCLUSIVE : SQLITE_SHM_SHARED
  }

  func close() {
    _ = unsafe methods.pointee.xClose(file)
  }
}
