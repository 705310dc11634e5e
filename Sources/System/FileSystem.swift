import Glibc

/// The file system calls of this target, and the only place in it that touches pointers.
///
/// None of them opens a file of the data directory: only `PlainFile` and SQLite do.
package enum FileSystem {
  /// What `lstat` says of a path.
  package struct Status {
    package enum Kind {
      case regular
      case directory
      case symbolicLink
      case other
    }

    package let kind: Kind
    /// Device and inode: two paths with the same are one file.
    package let identity: Identity
    /// How many names it has.
    package let linkCount: UInt64
    /// Unix permission bits.
    package let permissions: UInt16
    /// Of a directory: whether what is made in it gets its group, and folders this bit (`S_ISGID`).
    package let givesItsGroup: Bool
    package let size: UInt64
    /// Seconds since 1970.
    package let modified: Int64
    /// The same to the nanosecond.
    package let modifiedAt: Time
    /// When anything of it was changed: every write moves this, and nobody can set it.
    package let changedAt: Time
    /// The numbers of its user and its group.
    package let owner: UInt32
    package let group: UInt32

    /// The corresponding C type is `struct stat`.
    init(_ status: stat) {
      kind =
        switch status.st_mode & S_IFMT {
        case S_IFREG: .regular
        case S_IFDIR: .directory
        case S_IFLNK: .symbolicLink
        default: .other
        }
      identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
      linkCount = UInt64(status.st_nlink)
      permissions = UInt16(status.st_mode & 0o777)
      givesItsGroup = status.st_mode & S_ISGID != 0
      size = UInt64(status.st_size)
      modified = Int64(status.st_mtim.tv_sec)
      modifiedAt = Time(status.st_mtim)
      changedAt = Time(status.st_ctim)
      owner = status.st_uid
      group = status.st_gid
    }
  }

  /// As `stat` gives it: a file may claim times that nanoseconds in 64 bits have no room for.
  package struct Time: Equatable {
    package let seconds: Int64
    package let nanoseconds: Int64

    init(_ time: timespec) {
      seconds = Int64(time.tv_sec)
      nanoseconds = Int64(time.tv_nsec)
    }

    /// How far the time of a change may lie behind the clock: Linux stamps files with that of the last tick, which
    /// is 1 to 10 ms old.
    private static let tick: Int64 = 20_000_000
    /// The same where times are kept in whole seconds, or, in FAT, in pairs of them.
    private static let coarseTick: Int64 = 2_100_000_000

    /// For how long after this time another change may get the same, in nanoseconds.
    package var resolution: Int64 { nanoseconds == 0 ? Self.coarseTick : Self.tick }

    /// Whether a change that is made at a moment, or later, may get the same time as this one.
    ///
    /// - Parameter moment: nanoseconds since 1970.
    package func mayRecur(at moment: Int64) -> Bool { !isBefore(moment - resolution) }

    /// Whether a change that is made at a moment may get the same time as this one, unless it is made later. A clock that
    /// was set back leaves times that are still to come, and none of them is given now.
    package func isNear(_ moment: Int64) -> Bool { mayRecur(at: moment) && isBefore(moment + resolution) }

    private func isBefore(_ moment: Int64) -> Bool {
      (seconds, nanoseconds) < (moment / 1_000_000_000, moment % 1_000_000_000)
    }
  }

  /// What makes a file itself, whatever its name.
  package struct Identity: Hashable {
    package let device: UInt64
    package let inode: UInt64

    package init(device: UInt64, inode: UInt64) {
      self.device = device
      self.inode = inode
    }
  }

  /// The corresponding C function is `lstat`: links are not followed.
  package static func status(_ path: String) throws(SystemError) -> Status { try status(path.bytes) }

  /// The same of a path that may not be UTF-8.
  package static func status(_ path: [UInt8]) throws(SystemError) -> Status {
    var status = stat()
    let path = path.map { CChar(bitPattern: $0) } + [0]
    guard unsafe lstat(path, &status) == 0 else { throw SystemError(call: "lstat", errno: errno) }
    return Status(status)
  }

  /// Whether it can be told that there is nothing of this name.
  package static func isMissing(_ path: String) -> Bool { isMissing(path.bytes) }

  /// The same of a path that may not be UTF-8.
  package static func isMissing(_ path: [UInt8]) -> Bool {
    do throws(SystemError) { _ = try status(path) } catch { return error.isMissing }
    return false
  }

  /// Which file a link leads to. The corresponding C function is `stat`.
  package static func target(_ link: String) -> Identity? {
    var status = stat()
    return unsafe stat(link, &status) == 0 ? Status(status).identity : nil
  }

  /// The absolute path without links. The corresponding C function is `realpath`.
  package static func canonical(_ path: String) throws(SystemError) -> String {
    guard let resolved = unsafe realpath(path, nil) else {
      throw SystemError(call: "realpath", errno: errno)
    }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  /// The names in a directory, each as its bytes, without `.` and `..`, in no order.
  ///
  /// The corresponding C functions are `opendir` and `readdir`.
  /// - Parameter limit: so many at the most are read.
  package static func names(in directory: String, limit: Int) throws(SystemError) -> [[UInt8]] {
    guard let stream = unsafe opendir(directory) else {
      throw SystemError(call: "opendir", errno: errno)
    }
    defer { unsafe closedir(stream) }
    var names: [[UInt8]] = []
    while names.count < limit {
      errno = 0
      guard let entry = unsafe readdir(stream) else {
        guard errno == 0 else { throw SystemError(call: "readdir", errno: errno) }
        break
      }
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe Array($0.prefix { $0 != 0 }) }
      if name != Array(".".utf8), name != Array("..".utf8) { names.append(name) }
    }
    return names
  }

  /// Whether a name or a path matches a shell pattern; `*` and `?` match no slash.
  ///
  /// The locale is C, so each byte is a character. The corresponding C function is `fnmatch`.
  package static func matches(_ name: [UInt8], _ pattern: String) -> Bool {
    let name = name.map { CChar(bitPattern: $0) } + [0]
    return unsafe fnmatch(pattern, name, FNM_PATHNAME) == 0
  }

  /// The wall clock: nanoseconds since 1970.
  package static func now() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// The corresponding C function is `gmtime_r`.
  package static func calendar(_ seconds: Int64) -> (
    year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int
  ) {
    var time = time_t(seconds)
    var parts = unsafe tm()
    unsafe gmtime_r(&time, &parts)
    return unsafe (
      Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday), Int(parts.tm_hour),
      Int(parts.tm_min), Int(parts.tm_sec)
    )
  }

  /// Opens an archive, a file or a pipe. It does not wait for the other end of a pipe: `ZipStream` does.
  ///
  /// - Throws: `EISDIR` for a directory.
  package static func openArchive(_ path: String) throws(SystemError) -> Descriptor {
    let opened = unsafe Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    let reason = errno
    guard opened >= 0 else { throw SystemError(call: "open", errno: reason) }
    let descriptor = Descriptor(owning: opened)
    guard try Directory.status(of: descriptor).kind != .directory else {
      throw SystemError(call: "open", errno: EISDIR)
    }
    return descriptor
  }

  package static let standardInput = STDIN_FILENO

  /// As whom this process runs. The corresponding C function is `geteuid`.
  package static func user() -> UInt32 { geteuid() }

  /// Lets time pass before a locked file is asked for again: long for a lock, short for a person.
  package static func pause() { usleep(5_000) }
}

extension SystemError {
  /// Whether there is nothing by that path.
  package var isMissing: Bool { errno == ENOENT || errno == ENOTDIR }
  /// Whether something is there that this process may not see.
  package var isForbidden: Bool { errno == EACCES || errno == EPERM }
}

extension SystemError {
  /// A link stands where a directory is wanted: open(2), `O_NOFOLLOW` with `O_DIRECTORY`.
  package var isLink: Bool { errno == ELOOP || errno == ENOTDIR }
  /// A directory stands where a file is expected.
  package var isDirectory: Bool { errno == EISDIR }
  package static let noRegularFile = SystemError(call: "open", errno: EISDIR)
  package static let otherFileSystem = SystemError(call: "rename", errno: EXDEV)
}
