import CLinux
import Glibc

/// What is done to a file that is open.
extension Descriptor {
  /// The corresponding C function is `fstat`.
  package func status() throws(SystemError) -> FileSystem.Status { try FileSystem.status(of: rawValue) }

  /// Makes its content last. The corresponding C function is `fsync`.
  package func sync() throws(SystemError) {
    let raw = rawValue
    try SystemCalls.require("fsync") { Int(fsync(raw)) }
  }

  /// Gives it another file's owner and group, and these permissions. Only root may give a file away; any other user keeps
  /// it, and gives it the group if that is one of the user's own.
  ///
  /// The corresponding C functions are `fchown` and `fchmod`.
  package func own(as status: FileSystem.Status, permissions: UInt16) throws(SystemError) {
    let raw = rawValue
    if geteuid() == 0 {
      try SystemCalls.require("fchown") { Int(fchown(raw, status.owner, status.group)) }
    } else {
      _ = fchown(raw, uid_t.max, status.group)
    }
    try SystemCalls.require("fchmod") { Int(fchmod(raw, mode_t(permissions))) }
  }

  /// Sets when the content was last changed. The corresponding C function is `futimens`.
  package func setModified(_ seconds: Int64) {
    let times = [
      timespec(tv_sec: 0, tv_nsec: Int(Self.UTIME_OMIT)), timespec(tv_sec: time_t(seconds), tv_nsec: 0),
    ]
    // A file system that has no such time still has the content.
    _ = unsafe futimens(rawValue, times)
  }

  /// Gives the inode the present time, `st_ctime`, and changes nothing else. The corresponding C function is `fchmod`.
  package func touchInode() throws(SystemError) {
    let (raw, permissions) = (rawValue, try status().allPermissions)
    try SystemCalls.require("fchmod") { Int(fchmod(raw, mode_t(permissions))) }
  }

  /// The corresponding C constant is `UTIME_OMIT`, a macro that Swift does not import.
  private static let UTIME_OMIT = (1 << 30) - 2

  // MARK: bytes

  /// Writes all of the bytes where the last write ended.
  ///
  /// The corresponding C function is `write`.
  package func write(_ bytes: [UInt8]) throws(SystemError) { try SystemCalls.writeAll(bytes, to: rawValue) }

  /// Writes all of the bytes, or a range of them, from an offset on. The corresponding C function is `pwrite`.
  package func write(
    _ bytes: [UInt8], _ range: Range<Int>? = nil, at offset: UInt64
  ) throws(SystemError) {
    let raw = rawValue
    try unsafe SystemCalls.writeAll(bytes, range ?? bytes.indices, "pwrite") {
      unsafe pwrite(raw, $0, $1, off_t(offset) + off_t($2))
    }
  }

  /// Gives a file a size; what it did not have is zeros. The corresponding C function is `ftruncate`.
  package func truncate(to size: UInt64) throws(SystemError) {
    let raw = rawValue
    try SystemCalls.require("ftruncate") { Int(ftruncate(raw, off_t(clamping: size))) }
  }

  /// The bytes of a file from its beginning, at most so many. The corresponding C function is `read`.
  package func read(atMost limit: Int) throws(SystemError) -> [UInt8] {
    try SystemCalls.readAll(rawValue, atMost: limit)
  }

  /// The bytes from an offset on: as many as there are, at most `count`. The corresponding C function is `pread`.
  package func read(_ count: Int, at offset: UInt64) throws(SystemError) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let piece = try SystemCalls.readSome(rawValue, count - bytes.count, at: offset + UInt64(bytes.count))
      if piece.isEmpty { break }
      if bytes.isEmpty { bytes = piece } else { bytes += piece }
    }
    return bytes
  }

  /// Fills the first `count` bytes of `buffer` from an offset on. The corresponding C function is `pread`.
  ///
  /// - Returns: how many bytes there were.
  package func read(into buffer: inout [UInt8], _ count: Int, at offset: UInt64) throws(SystemError) -> Int {
    var filled = 0
    while filled < count {
      let piece = try SystemCalls.readSome(
        rawValue, into: &buffer, filled..<count, at: offset + UInt64(filled))
      if piece == 0 { break }
      filled += piece
    }
    return filled
  }

  /// Copies a range of another file's bytes to an offset of this one, in the kernel where it can. Where the file system can
  /// (XFS, Btrfs), the files share whole blocks of them then.
  ///
  /// - Throws: `EIO` if the other file has not so many bytes.
  ///
  /// The corresponding C function is `copy_file_range`.
  package func copy(
    _ range: Range<UInt64>, of source: borrowing Descriptor, at offset: UInt64
  ) throws(SystemError) {
    var (from, to) = (off_t(range.lowerBound), off_t(offset))
    let (input, output) = (source.rawValue, rawValue)
    while from < off_t(range.upperBound) {
      let left = Int(off_t(range.upperBound) - from)
      // Blocks are shared from the beginning of one on.
      let gap = Int((Self.blockSize - from % Self.blockSize) % Self.blockSize)
      var copied = unsafe copy_file_range(input, &from, output, &to, gap > 0 ? min(gap, left) : left, 0)
      if copied <= 0 {
        // From another file system, say.
        let bytes = try source.read(min(left, Self.copySize), at: UInt64(from))
        try write(bytes, at: UInt64(to))
        copied = bytes.count
        from += off_t(copied)
        to += off_t(copied)
      }
      guard copied > 0 else { throw SystemError(call: "copy_file_range", errno: EIO) }
    }
  }

  /// In bytes: what XFS and Btrfs have.
  private static let blockSize: off_t = 4096
  private static let copySize = 256 << 10

  // MARK: locks

  /// A run of a file's bytes that locks are for.
  package struct LockRange {
    package let start: Int64
    package let count: Int64

    package init(start: Int64, count: Int64) {
      self.start = start
      self.count = count
    }
  }

  /// Locks bytes against every other open file, without waiting. The lock lasts until the descriptor is closed, and does not
  /// care for other descriptors of the file: fcntl(2), "Open file description locks".
  ///
  /// - Parameter isShared: whether others may have such a lock too. A descriptor that only reads can have no other.
  /// - Returns: false if another has a lock there.
  package func lock(_ range: LockRange, isShared: Bool = false) throws(SystemError) -> Bool {
    var lock = Self.request(range, isShared ? F_RDLCK : F_WRLCK)
    let raw = rawValue
    do throws(SystemError) {
      return try SystemCalls.attempt("fcntl") { unsafe Int(fcntl(raw, Self.F_OFD_SETLK, &lock)) } != nil
    } catch {
      guard error.errno == EACCES else { throw error }
      return false
    }
  }

  /// A lock of another open file.
  package struct ForeignLock {
    /// The process that has it; nil when the kernel does not say.
    package let pid: Int32?
  }

  /// The lock of any kind that another open file has on these bytes, if one has.
  package func foreignLock(_ range: LockRange) throws(SystemError) -> ForeignLock? {
    var lock = Self.request(range, F_WRLCK)
    let raw = rawValue
    try SystemCalls.require("fcntl") { unsafe Int(fcntl(raw, Self.F_OFD_GETLK, &lock)) }
    guard lock.l_type != F_UNLCK else { return nil }
    return ForeignLock(pid: lock.l_pid > 0 ? lock.l_pid : nil)
  }

  private static func request(_ range: LockRange, _ type: CInt) -> flock {
    flock(
      l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: off_t(range.start),
      l_len: off_t(range.count), l_pid: 0)
  }

  // Only declared under _GNU_SOURCE, with which the Glibc module was not made: <bits/fcntl-linux.h>.
  private static let F_OFD_GETLK: CInt = 36
  private static let F_OFD_SETLK: CInt = 37
}
