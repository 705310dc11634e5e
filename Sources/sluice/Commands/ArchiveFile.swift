import EventLoop
import Glibc
import SQLiteSnapshot
import Service
import System

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
    let final = try Self.target(path ?? defaultName, mustBeNew: path == nil)
    let folder = Self.folder(of: final)
    let number = String(UInt64.random(in: 0 ... .max), radix: 16)
    let partial = "\(folder)\(Self.partialPrefix)\(number)\(Self.partialSuffix)"
    paths = (final, partial)
    // What a backup holds is for its owner alone.
    let opened = unsafe open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    let reason = errno
    // With its last property set, an actor goes on to its own thread, which has an errno of its own.
    descriptor = opened
    guard opened >= 0 else { throw Self.failure(final, "cannot be written to", "open", reason) }
    // So another backup sees that this one still runs. Some file systems have no locks.
    _ = try? SystemCalls.lock(opened)
  }

  /// Looks at what is by that name already, before a long backup is made for nothing.
  private static func target(_ path: String, mustBeNew: Bool) throws -> String {
    guard !path.isEmpty else { throw Failure(description: "-o: give a file, or - for standard output") }
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return path }
    guard !mustBeNew else {
      throw Failure(
        description: "\(path) is there already: give another name with -o, or - for standard output")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw Failure(
        description: "-o \(path): no regular file; for a pipe or a device use -o - and redirect it there")
    }
    // A link stays one: what it leads to is replaced.
    guard let resolved = unsafe realpath(path, nil) else { return path }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  /// Refuses to replace a database, or what SQLite keeps beside one. To be asked before this process has a database open, since the
  /// path may be that of a `-shm`: see `PlainFile.isDatabase`.
  static func refuseDatabase(at path: String) throws {
    guard let final = try? target(path, mustBeNew: false) else { return }
    for suffix in [""] + CompanionFile.suffixes {
      guard let database = BytePath(final).removing(suffix: suffix),
        (try? PlainFile.isDatabase(database)) == true
      else { continue }
      let what = suffix.isEmpty ? "it is" : "it belongs to"
      throw Failure(description: "-o \(printable(path)): \(what) a database of SQLite; give another name")
    }
  }

  // What its name is until it is whole, around a random number.
  private static let partialPrefix = ".sluice-"
  private static let partialSuffix = ".partial"
  /// In seconds. A backup that runs writes more often: so it is seen also where the file system has no locks.
  private static let leftoverAge: Int64 = 3600

  /// Removes what backups that were killed have left where a file is to be. To be called before this process has a database open, as
  /// for `refuseDatabase`.
  static func removeLeftovers(beside path: String?) {
    guard let final = try? target(path ?? "file", mustBeNew: false),
      let folder = try? Directory(path: folder(of: final))
    else { return }
    let oldest = FileSystem.now() / 1_000_000_000 - leftoverAge
    for name in (try? folder.names()) ?? []
    where name.hasPrefix(BytePath(partialPrefix)) && name.hasSuffix(BytePath(partialSuffix)) {
      guard let status = try? folder.status(name), status.kind == .regular,
        status.owner == FileSystem.user(), status.modified < oldest,
        let file = try? folder.openFile(name, writing: false), let start = try? file.read(4, at: 0),
        // Of an archive, of which there may be nothing yet.
        start.isEmpty || start == [0x50, 0x4b, 3, 4], (try? SystemCalls.lock(file.rawValue)) == true
      else { continue }
      try? folder.remove(name)
    }
  }

  deinit {
    if paths != nil, descriptor >= 0 { close(descriptor) }
    worker.stop()
  }

  /// Writes the bytes of all the pieces at the end.
  func append(_ pieces: [[UInt8]]) throws {
    for piece in pieces { try append(piece) }
  }

  private func append(_ bytes: [UInt8]) throws {
    do { try SystemCalls.writeAll(bytes, to: descriptor) } catch {
      throw Self.failure(paths?.final ?? "standard output", "cannot be written", "write", error.errno)
    }
  }

  /// Makes it appear under its name, once its bytes are safe.
  func commit() throws {
    guard let paths else { return }
    let isSynced = fsync(descriptor) == 0
    var reason = errno
    guard isSynced else { throw Self.failure(paths.final, "cannot be synced", "fsync", reason) }
    let isThere = unsafe rename(paths.partial, paths.final) == 0
    reason = errno
    guard isThere else { throw Self.failure(paths.final, "cannot be put in place", "rename", reason) }
    syncFolder(of: paths.final)
  }

  /// Leaves nothing behind.
  func discard() {
    if let paths { unsafe unlink(paths.partial) }
  }

  /// With a slash at its end.
  private static func folder(of path: String) -> String {
    path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? "./"
  }

  /// Makes the new name last. Some file systems cannot; the file itself is safe by then.
  private func syncFolder(of path: String) {
    let descriptor = unsafe open(Self.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }

  private static func failure(_ path: String, _ what: String, _ call: String, _ reason: CInt) -> Failure {
    Failure(description: "\(path) \(what): \(SystemError(call: call, errno: reason))")
  }
}
