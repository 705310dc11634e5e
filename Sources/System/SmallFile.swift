import Glibc

/// Reads files of a few KiB as a whole: settings and states, never what may be a database.
package enum SmallFile {
  /// How many bytes are read at a time.
  private static let step = 64 << 10

  package enum Failure: Error, Equatable, CustomStringConvertible {
    case system(SystemError)
    case notRegular
    /// In bytes.
    case tooLarge(limit: Int)

    package var description: String {
      switch self {
      case .system(let error): "\(error)"
      case .notRegular: "it is no regular file"
      case .tooLarge(let limit): "it has more than \(limit) bytes"
      }
    }

    /// Whether there is no file by this name.
    package var isMissing: Bool { if case .system(let error) = self { error.errno == ENOENT } else { false } }
  }

  /// Reads a file. It does not wait at a pipe that no process writes to.
  ///
  /// The corresponding C functions are `open` and `read`.
  /// - Parameters:
  ///   - limit: in bytes; a larger file is refused.
  ///   - isOwn: whether this program wrote it: then it is a regular file, and no link to one.
  package static func read(_ path: String, atMost limit: Int, isOwn: Bool = false) throws(Failure) -> [UInt8]
  {
    let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (isOwn ? O_NOFOLLOW : 0)
    let opened = unsafe open(path, flags)
    guard opened >= 0 else { throw .system(SystemError(call: "open", errno: errno)) }
    let descriptor = Descriptor(owning: opened)
    if isOwn {
      var status = stat()
      guard unsafe fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw .notRegular }
    }
    var bytes: [UInt8] = []
    var size = 0
    while size <= limit {
      // The limit may be far above what there is.
      if size == bytes.count { bytes += [UInt8](repeating: 0, count: min(Self.step, limit + 1 - size)) }
      let room = bytes.count - size
      let count = unsafe bytes.withUnsafeMutableBytes { buffer in
        unsafe Glibc.read(descriptor.rawValue, buffer.baseAddress.map { unsafe $0 + size }, room)
      }
      let reason = errno
      // A pipe whose writer has it open still has no end yet.
      if count == 0 || count < 0 && reason == EAGAIN && size > 0 { return Array(bytes[..<size]) }
      guard count > 0 || reason == EINTR else { throw .system(SystemError(call: "read", errno: reason)) }
      size += max(0, count)
    }
    throw .tooLarge(limit: limit)
  }

  /// The first line of a file, without its end.
  ///
  /// - Throws: what `read` throws.
  package static func firstLine(of path: String, atMost limit: Int) throws(Failure) -> [UInt8] {
    try read(path, atMost: limit).prefix { $0 != UInt8(ascii: "\n") }.filter { $0 != UInt8(ascii: "\r") }
  }
}
