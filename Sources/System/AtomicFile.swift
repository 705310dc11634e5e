import Glibc

/// A new file that takes the place of another once it is whole and its bytes are safe: whatever happens, the old one or the
/// new one is there. It is private to its user.
package struct AtomicFile: ~Copyable, Sendable {
  /// Where it will be, and where it is until then.
  private let path: String
  private let partial: String
  private let descriptor: Descriptor

  /// Opens the partial file.
  ///
  /// - Parameters:
  ///   - partial: on the same file system.
  ///   - isUnique: whether a file of that name is another's, and an error; else it is what an earlier process left.
  package init(replacing path: String, through partial: String, isUnique: Bool) throws(SystemError) {
    // O_NONBLOCK: a pipe that another process put there must not be waited for.
    let flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (isUnique ? O_EXCL : O_TRUNC)
    let opened = unsafe open(partial, flags, 0o600)
    guard opened >= 0 else { throw SystemError(call: "open", errno: errno) }
    self.path = path
    self.partial = partial
    descriptor = Descriptor(owning: opened)
  }

  /// Writes bytes at the end.
  package func append(_ bytes: [UInt8]) throws(SystemError) {
    try SystemCalls.writeAll(bytes, to: descriptor.rawValue)
  }

  /// Makes it appear under its name, once its bytes are safe.
  ///
  /// The corresponding C functions are `fsync` and `rename`; the error names the one that failed.
  package func commit() throws(SystemError) {
    guard fsync(descriptor.rawValue) == 0 else { throw SystemError(call: "fsync", errno: errno) }
    guard unsafe rename(partial, path) == 0 else { throw SystemError(call: "rename", errno: errno) }
  }

  /// Makes the new name last. Some file systems cannot; the file itself is safe by then.
  package func syncFolder() {
    let opened = unsafe open(Self.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard opened >= 0 else { return }
    fsync(opened)
    close(opened)
  }

  /// Removes the partial file.
  package func discard() { unsafe unlink(partial) }

  /// The folder that a path is in, with a slash at its end.
  package static func folder(of path: String) -> String {
    BytePath(path).parent.map { String(decoding: $0.bytes + [UInt8(ascii: "/")], as: UTF8.self) } ?? "./"
  }
}
