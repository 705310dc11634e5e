import CLinux
import Glibc

/// A directory that is held open, and what is done to the names in it. No call follows a link, and a name is one name
/// and never a path: so what is done here is done in this directory, whatever becomes of the path to it.
///
/// The corresponding C functions are `openat` and its kin.
package final class Directory {
  private let descriptor: Descriptor

  /// Opens what a person has named, through links if there are any on the way.
  package init(path: BytePath) throws(SystemError) {
    descriptor = Descriptor(
      owning: try Self.check("open", unsafe open(path.cString, O_RDONLY | O_DIRECTORY | O_CLOEXEC)))
  }

  /// The same, from a command line.
  package convenience init(path: String) throws(SystemError) { try self.init(path: BytePath(path)) }

  private init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

  /// A path to this directory itself, wherever it is by now, for as long as it is held open: proc(5).
  package var path: BytePath { BytePath("/proc/self/fd/\(descriptor.rawValue)") }

  /// Opens a directory in this one.
  package func directory(_ name: BytePath) throws(SystemError) -> Directory {
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    return Directory(
      Descriptor(
        owning: try Self.check("openat", unsafe openat(descriptor.rawValue, name.cString, flags))))
  }

  /// The path of a name in it, wherever the directory is by now.
  package func path(of name: BytePath) -> BytePath { path.appending(name) }

  /// What is by a name; nil if nothing is, or nothing can be: a log's name may be too long where the file's is not.
  package func status(_ name: BytePath) throws(SystemError) -> FileSystem.Status? {
    var status = stat()
    let result = unsafe fstatat(descriptor.rawValue, name.cString, &status, AT_SYMLINK_NOFOLLOW)
    if result < 0, errno == ENOENT || errno == ENAMETOOLONG { return nil }
    try Self.check("fstatat", result)
    return FileSystem.Status(status)
  }

  /// Whether a name is short enough for the file system, which knows best: not all of them take 255 bytes.
  package func canHave(_ name: BytePath) -> Bool {
    var status = stat()
    return unsafe fstatat(descriptor.rawValue, name.cString, &status, AT_SYMLINK_NOFOLLOW) == 0
      || errno != ENAMETOOLONG
  }

  /// What the directory itself is.
  package func status() throws(SystemError) -> FileSystem.Status {
    try descriptor.status()
  }

  /// Takes the directory's lock: see `SystemCalls.lock`.
  package func lock() throws(SystemError) -> Bool { try SystemCalls.lock(descriptor.rawValue) }

  /// Gives a file a second name.
  package func link(_ name: BytePath, to newName: BytePath) throws(SystemError) {
    try Self.check(
      "linkat", unsafe linkat(descriptor.rawValue, name.cString, descriptor.rawValue, newName.cString, 0))
  }

  /// Moves a file from here over what is by a name there, in one step.
  package func rename(_ name: BytePath, to other: Directory, _ newName: BytePath) throws(SystemError) {
    try Self.check(
      "renameat",
      unsafe renameat(descriptor.rawValue, name.cString, other.descriptor.rawValue, newName.cString))
  }

  /// Moves a file from here to a name there that no file has.
  ///
  /// - Returns: false if one has it.
  package func renameToFree(
    _ name: BytePath, to other: Directory, _ newName: BytePath
  ) throws(SystemError) -> Bool {
    guard try other.status(newName) == nil else { return false }
    let result = unsafe renameat2(
      descriptor.rawValue, name.cString, other.descriptor.rawValue, newName.cString, clinux_rename_noreplace)
    if result < 0, errno == EEXIST { return false }
    // A file system that cannot: rename(2).
    if result < 0, errno == EINVAL || errno == ENOSYS {
      try rename(name, to: other, newName)
      return true
    }
    try Self.check("renameat2", result)
    return true
  }

  /// Replaces a file: whatever happens, the old one or the new one is there. Until it is whole, it is `NAME.partial`; one that a
  /// process that was killed has left is removed.
  ///
  /// - Parameter prepare: gives the new one its owner and permissions; until then it is private to this user.
  package func replace(
    _ name: BytePath, with content: [UInt8], _ prepare: (borrowing Descriptor) throws(SystemError) -> Void
  ) throws(SystemError) {
    let partial = name + ".partial"
    try remove(partial)
    let file = try makeFile(partial)
    do throws(SystemError) {
      try file.write(content)
      try prepare(file)
      try file.sync()
      try rename(partial, to: self, name)
    } catch {
      try? remove(partial)
      throw error
    }
  }

  /// Removes a name. One that is gone already is as good.
  package func remove(_ name: BytePath) throws(SystemError) {
    let result = unsafe unlinkat(descriptor.rawValue, name.cString, 0)
    if result < 0, errno == ENOENT { return }
    try Self.check("unlinkat", result)
  }

  /// Removes an empty directory.
  package func removeDirectory(_ name: BytePath) throws(SystemError) {
    try Self.check("unlinkat", unsafe unlinkat(descriptor.rawValue, name.cString, AT_REMOVEDIR))
  }

  /// Makes a directory that only we can enter, and opens it.
  package func makeDirectory(_ name: BytePath) throws(SystemError) -> Directory {
    try Self.check("mkdirat", unsafe mkdirat(descriptor.rawValue, name.cString, 0o700))
    return try directory(name)
  }

  /// Gives the directory another one's owner, group and mode, whatever the umask is.
  package func own(as status: FileSystem.Status) throws(SystemError) {
    let setGroupID: UInt16 = status.givesItsGroup ? 0o2000 : 0
    try descriptor.own(as: status, permissions: status.permissions | setGroupID)
  }

  /// Makes a symbolic link.
  package func makeLink(_ name: BytePath, to text: BytePath) throws(SystemError) {
    try Self.check("symlinkat", unsafe symlinkat(text.cString, descriptor.rawValue, name.cString))
  }

  /// Where a symbolic link leads; nil if it is none.
  package func linkText(_ name: BytePath) -> BytePath? {
    var text = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = unsafe readlinkat(descriptor.rawValue, name.cString, &text, text.count)
    return count < 0 ? nil : BytePath(text[..<count].map { UInt8(bitPattern: $0) })
  }

  /// Makes a file that no other user may read yet.
  package func makeFile(_ name: BytePath) throws(SystemError) -> Descriptor {
    let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    return Descriptor(
      owning: try Self.check("openat", unsafe openat(descriptor.rawValue, name.cString, flags, 0o600)))
  }

  /// Opens a file. It does not wait for the other end of a pipe.
  package func openFile(_ name: BytePath, writing: Bool) throws(SystemError) -> Descriptor {
    let flags = (writing ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
    return Descriptor(
      owning: try Self.check("openat", unsafe openat(descriptor.rawValue, name.cString, flags)))
  }

  /// The names in it, in no order.
  package func names() throws(SystemError) -> [BytePath] { try FileSystem.names(in: path, limit: .max) }

  /// Makes the names in it last. The corresponding C function is `fsync`.
  package func sync() throws(SystemError) { try descriptor.sync() }

  @discardableResult
  private static func check(_ call: StaticString, _ result: CInt) throws(SystemError) -> CInt {
    let reason = errno
    guard result >= 0 else { throw SystemError(call: "\(call)", errno: reason) }
    return result
  }
}
