import EventLoop
import Glibc

/// The file that an archive is written to, on a thread of its own: it appears whole, or not at all.
actor ArchiveFile {
  private nonisolated let worker: WorkerThread
  private let descriptor: CInt
  /// Where it is to be, and where it is until then; nil for standard output.
  private let paths: (final: String, partial: String)?

  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe worker.asUnownedSerialExecutor() }

  /// Opens a new file beside the one that is to be.
  ///
  /// - Parameters:
  ///   - path: `-` for standard output; nil for `defaultName` here, which must not exist yet.
  init(_ path: String?, defaultName: String) async throws {
    worker = try WorkerThread(named: "file")
    guard path != "-" else {
      descriptor = STDOUT_FILENO
      paths = nil
      return
    }
    let final = path ?? defaultName
    if path == nil, unsafe access(final, F_OK) == 0 {
      throw Failure(
        description: "\(final) is there already: give another name with -o, or - for standard output")
    }
    let slash = final.lastIndex(of: "/").map { final.index(after: $0) } ?? final.startIndex
    let partial = "\(final[..<slash]).\(final[slash...]).\(getpid()).partial"
    paths = (final, partial)
    // What a backup holds is nobody else's business.
    descriptor = unsafe open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw Self.failure("cannot be created", partial) }
  }

  deinit {
    if paths != nil, descriptor >= 0 { close(descriptor) }
    worker.stop()
  }

  /// Writes bytes at the end.
  func append(_ bytes: [UInt8]) throws {
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe write(descriptor, buffer.baseAddress.map { unsafe $0 + written }, bytes.count - written)
      }
      guard count >= 0 || errno == EINTR else {
        throw Self.failure("cannot be written", paths?.partial ?? "standard output")
      }
      written += max(0, count)
    }
  }

  /// Makes it appear under its name, once its bytes are safe.
  func commit() throws {
    guard let paths else { return }
    guard fsync(descriptor) == 0 else { throw Self.failure("cannot be synced", paths.partial) }
    guard unsafe rename(paths.partial, paths.final) == 0 else {
      throw Self.failure("cannot be renamed to \(paths.final)", paths.partial)
    }
    syncFolder(of: paths.final)
  }

  /// Leaves nothing behind.
  func discard() {
    if let paths { unsafe unlink(paths.partial) }
  }

  /// Makes the new name last. Some file systems cannot; the file itself is safe by then.
  private func syncFolder(of path: String) {
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }

  private static func failure(_ what: String, _ path: String) -> Failure {
    let reason = errno
    return Failure(description: "\(path) \(what): \(SystemError(call: "write", errno: reason))")
  }
}
