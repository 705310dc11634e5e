import Glibc

/// A directory that is held open, and what is done to the names in it. No call follows a link, and a name is one name
/// and never a path: so what is done here is done in this directory, whatever becomes of the path to it.
///
/// The corresponding C functions are `openat` and its kin.
package final class Directory {
  private let descriptor: Descriptor

  /// Opens what a person has named, through links if there are any on the way.
  package init(path: String) throws(SystemError) {
    descriptor = Descriptor(
      owning: try Self.check("open", unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)))
  }

  private init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

  /// A path to this directory itself, wherever it is by now, for as long as it is held open: proc(5).
  package var path: String { "/proc/self/fd/\(descriptor.rawValue)" }

  /// Opens a directory in this one.
  package func directory(_ name: String) throws(SystemError) -> Directory { try directory(name.bytes) }

  /// The same of a name that may not be UTF-8.
  package func directory(_ name: [UInt8]) throws(SystemError) -> Directory {
    let name = name.map { CChar(bitPattern: $0) } + [0]
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    return Directory(
      Descriptor(owning: try Self.check("openat", unsafe openat(descriptor.rawValue, name, flags))))
  }

  /// The path of a name in it, which may not be UTF-8.
  package func path(of name: [UInt8]) -> [UInt8] { path.bytes + [UInt8(ascii: "/")] + name }

  /// What is by a name; nil if nothing is, or nothing can be: a log's name may be too long where the file's is not.
  package func status(_ name: String) throws(SystemError) -> FileSystem.Status? {
    var status = stat()
    let result = unsafe fstatat(descriptor.rawValue, name, &status, AT_SYMLINK_NOFOLLOW)
    if result < 0, errno == ENOENT || errno == ENAMETOOLONG { return nil }
    try Self.check("fstatat", result)
    return FileSystem.Status(status)
  }

  /// Whether a name is short enough for the file system, which knows best: not all of them take 255 bytes.
  package func canHave(_ name: String) -> Bool {
    var status = stat()
    return unsafe fstatat(descriptor.rawValue, name, &status, AT_SYMLINK_NOFOLLOW) == 0
      || errno != ENAMETOOLONG
  }

  /// What the directory itself is.
  package func status() throws(SystemError) -> FileSystem.Status {
    try Self.status(of: descriptor)
  }

  /// The corresponding C function is `fstat`.
  package static func status(of descriptor: borrowing Descriptor) throws(SystemError) -> FileSystem.Status {
    var status = stat()
    try check("fstat", unsafe fstat(descriptor.rawValue, &status))
    return FileSystem.Status(status)
  }

  /// Gives a file a second name.
  package func link(_ name: String, to newName: String) throws(SystemError) {
    try Self.check("linkat", unsafe linkat(descriptor.rawValue, name, descriptor.rawValue, newName, 0))
  }

  /// Moves a file from here over what is by a name there, in one step.
  package func rename(_ name: String, to other: Directory, _ newName: String) throws(SystemError) {
    try Self.check(
      "renameat", unsafe renameat(descriptor.rawValue, name, other.descriptor.rawValue, newName))
  }

  /// Removes a name. One that is gone already is as good.
  package func remove(_ name: String) throws(SystemError) {
    let result = unsafe unlinkat(descriptor.rawValue, name, 0)
    if result < 0, errno == ENOENT { return }
    try Self.check("unlinkat", result)
  }

  /// Removes an empty directory.
  package func removeDirectory(_ name: String) throws(SystemError) {
    try Self.check("unlinkat", unsafe unlinkat(descriptor.rawValue, name, AT_REMOVEDIR))
  }

  /// Makes a directory that only we can enter, and opens it.
  package func makeDirectory(_ name: String) throws(SystemError) -> Directory {
    try Self.check("mkdirat", unsafe mkdirat(descriptor.rawValue, name, 0o700))
    return try directory(name)
  }

  /// Gives the directory another one's owner, group and mode, whatever the umask is.
  package func own(as status: FileSystem.Status) throws(SystemError) {
    let setGroupID: UInt16 = status.givesItsGroup ? 0o2000 : 0
    try Self.own(descriptor, as: status, permissions: status.permissions | setGroupID)
  }

  /// Makes a symbolic link.
  package func makeLink(_ name: String, to text: String) throws(SystemError) {
    try Self.check("symlinkat", unsafe symlinkat(text, descriptor.rawValue, name))
  }

  /// Where a symbolic link leads; nil if it is none.
  package func linkText(_ name: String) -> String? {
    var text = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = unsafe readlinkat(descriptor.rawValue, name, &text, text.count)
    return count < 0 ? nil : String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Makes a file that nobody else may read yet.
  package func makeFile(_ name: String) throws(SystemError) -> Descriptor {
    let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    return Descriptor(
      owning: try Self.check("openat", unsafe openat(descriptor.rawValue, name, flags, 0o600)))
  }

  /// Opens a file. It does not wait for the other end of a pipe.
  package func openFile(_ name: String, writing: Bool) throws(SystemError) -> Descriptor {
    let flags = (writing ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
    return Descriptor(owning: try Self.check("openat", unsafe openat(descriptor.rawValue, name, flags)))
  }

  /// The names in it that are UTF-8.
  package func names() throws(SystemError) -> [String] {
    try FileSystem.names(in: path, limit: .max)
      .compactMap { String(validating: $0, as: UTF8.self) }
  }

  /// Makes the names in it last. The corresponding C function is `fsync`.
  package func sync() throws(SystemError) { try Self.sync(descriptor) }

  // MARK: files that are open

  package static func sync(_ file: borrowing Descriptor) throws(SystemError) {
    try check("fsync", fsync(file.rawValue))
  }

  /// The corresponding C functions are `fchown` and `fchmod`. Only root may give a file away; anybody else keeps it, and
  /// gives it the group if that is one of his.
  package static func own(
    _ file: borrowing Descriptor, as status: FileSystem.Status, permissions: UInt16
  ) throws(SystemError) {
    if geteuid() == 0 {
      try check("fchown", fchown(file.rawValue, status.owner, status.group))
    } else {
      _ = fchown(file.rawValue, uid_t.max, status.group)
    }
    try check("fchmod", fchmod(file.rawValue, mode_t(permissions)))
  }

  /// Sets when the content was last changed. The corresponding C function is `futimens`.
  package static func setModified(_ file: borrowing Descriptor, _ seconds: Int64) {
    let times = [
      timespec(tv_sec: 0, tv_nsec: Int(UTIME_OMIT)), timespec(tv_sec: time_t(seconds), tv_nsec: 0),
    ]
    // A file system that has no such time still has the content.
    _ = unsafe futimens(file.rawValue, times)
  }

  /// The corresponding C constant is `UTIME_OMIT`, a macro that Swift does not import.
  private static let UTIME_OMIT = (1 << 30) - 2

  /// Writes all of the bytes. The corresponding C function is `write`.
  package static func write(_ bytes: [UInt8], to file: CInt) throws(SystemError) {
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.write(
          file, buffer.baseAddress.map { unsafe $0 + written }, bytes.count - written)
      }
      if count < 0, errno == EINTR { continue }
      written += Int(try check("write", CInt(clamping: count)))
    }
  }

  /// The bytes of a file from its beginning, at the most so many. The corresponding C function is `read`.
  package static func read(_ file: borrowing Descriptor, atMost limit: Int) throws(SystemError) -> [UInt8] {
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: min(limit, 64 * 1024))
    while bytes.count < limit {
      let count = unsafe Glibc.read(file.rawValue, &block, min(block.count, limit - bytes.count))
      if count < 0, errno == EINTR { continue }
      try check("read", CInt(clamping: count))
      if count == 0 { break }
      bytes += block[..<count]
    }
    return bytes
  }

  /// The bytes from an offset on, at the most so many. The corresponding C function is `pread`.
  package static func read(
    _ file: borrowing Descriptor, atMost count: Int, from offset: UInt64
  ) throws(SystemError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var got: Int
    var reason: CInt
    repeat {
      got = unsafe pread(file.rawValue, &bytes, count, off_t(offset))
      reason = errno
    } while got < 0 && reason == EINTR
    guard got >= 0 else { throw SystemError(call: "pread", errno: reason) }
    return Array(bytes.prefix(got))
  }

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

  /// Locks bytes against everybody, without waiting. The lock lasts until the descriptor is closed, and does not care for
  /// other descriptors of the file: fcntl(2), "Open file description locks".
  ///
  /// - Returns: false if somebody else has a lock there.
  package static func lock(_ file: borrowing Descriptor, _ range: LockRange) throws(SystemError) -> Bool {
    var lock = request(range)
    let result = unsafe fcntl(file.rawValue, F_OFD_SETLK, &lock)
    if result < 0, errno == EAGAIN || errno == EACCES { return false }
    try check("fcntl", result)
    return true
  }

  /// Who has a lock on these bytes: the process, or nil when the kernel does not say.
  package static func lockHolder(_ file: borrowing Descriptor, _ range: LockRange) -> Int32? {
    var lock = request(range)
    guard unsafe fcntl(file.rawValue, F_OFD_GETLK, &lock) == 0, lock.l_type != F_UNLCK, lock.l_pid > 0
    else { return nil }
    return lock.l_pid
  }

  private static func request(_ range: LockRange) -> flock {
    flock(
      l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: off_t(range.start),
      l_len: off_t(range.count), l_pid: 0)
  }

  // Only declared under _GNU_SOURCE, with which the Glibc module was not made: <bits/fcntl-linux.h>.
  private static let F_OFD_GETLK: CInt = 36
  private static let F_OFD_SETLK: CInt = 37

  @discardableResult
  private static func check(_ call: StaticString, _ result: CInt) throws(SystemError) -> CInt {
    let reason = errno
    guard result >= 0 else { throw SystemError(call: "\(call)", errno: reason) }
    return result
  }
}
