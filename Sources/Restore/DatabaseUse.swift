import Archive
import Glibc
import System

/// The files that are to be replaced, and the processes that use them already; once they are held, no process begins to.
///
/// A write lock on the bytes that SQLite's own locks are on is what its EXCLUSIVE lock is: it cannot be had while
/// anybody reads or writes, nor while a connection in WAL mode is merely open, which keeps a SHARED lock. And while we
/// have it, a process that opens the database gets SQLITE_BUSY. It is an open file description's lock, so that it does not
/// go when another descriptor of the file is closed; and taking it through SQLite would change the directory: that
/// rolls a journal back, or makes a log.
///
/// An idle connection to a database with a rollback journal has no lock: only `/proc` tells of it.
///
/// The corresponding C file is SQLite's `os_unix.c`: `PENDING_BYTE`, `RESERVED_BYTE`, `SHARED_FIRST`, `SHARED_SIZE`.
final class DatabaseUse {
  private var files: [FileSystem.Identity: BytePath] = [:]
  private var opened: [OpenedFile] = []

  private final class OpenedFile {
    let path: BytePath
    let descriptor: Descriptor
    let mayWrite: Bool

    init(_ path: BytePath, _ descriptor: consuming Descriptor, mayWrite: Bool) {
      self.path = path
      self.descriptor = descriptor
      self.mayWrite = mayWrite
    }
  }

  private static let lockBytes = Descriptor.LockRange(start: 0x4000_0000, count: 2 + 510)

  /// Opens every file that would be replaced, and asks whether any is in use. It locks none: a commit of the application's would
  /// fail.
  ///
  /// - Throws: `inUse`; `obstacle` for one whose locks cannot be read.
  init(of journal: RestoreJournal, in target: RestoreTarget) throws(RestoreError) {
    var holders: [FileUser] = []
    for item in journal.items {
      try Self.reading(item.path) { () throws(SystemError) in
        guard let file = try open(item, journal.suffix, in: target) else { return }
        opened.append(file)
        guard let other = try file.descriptor.foreignLock(Self.lockBytes) else { return }
        holders.append(FileUser(path: item.path, pid: other.pid))
      }
    }
    try check(holders)
  }

  /// Locks them. Of one that this user may not write to it can be no more than a SHARED lock: a process that may read it can still
  /// begin to.
  ///
  /// - Throws: `inUse`; `obstacle`.
  func hold() throws(RestoreError) {
    var holders: [FileUser] = []
    for file in opened {
      try Self.reading(file.path) { () throws(SystemError) in
        let isHeld = try file.descriptor.lock(Self.lockBytes, isShared: !file.mayWrite)
        let other = try file.descriptor.foreignLock(Self.lockBytes)
        if !isHeld || other != nil { holders.append(FileUser(path: file.path, pid: other?.pid)) }
      }
    }
    try check(holders)
  }

  private static func reading(
    _ path: BytePath, _ body: () throws(SystemError) -> Void
  ) throws(RestoreError) {
    do { try body() } catch { throw .obstacle(path: path, detail: "its locks cannot be read: \(error)") }
  }

  private func check(_ holders: [FileUser]) throws(RestoreError) {
    let others = FileUser.all(of: files)
    let all = Set(others).union(
      holders.filter { user in user.pid != nil || !others.contains { $0.path == user.path } })
    guard all.isEmpty else { throw .inUse(all.sorted { $0.description < $1.description }) }
  }

  /// The file that would be replaced, if there is one and its locks can be seen.
  private func open(
    _ item: RestoredFile, _ keptSuffix: BytePath, in target: RestoreTarget
  ) throws(SystemError) -> OpenedFile? {
    guard let folder = try target.folder(item.folder) else { return nil }
    for suffix in item.companions {
      guard let status = try folder.status(item.name + suffix) else { continue }
      files[status.identity] = item.path + suffix
    }
    // The kept name, too: a restore that was killed may have left the old file under that alone.
    if let kept = try folder.status(item.name + keptSuffix), kept.kind == .regular {
      files[kept.identity] = item.path
    }
    guard let status = try folder.status(item.name), status.kind == .regular else { return nil }
    files[status.identity] = item.path
    // To rename a file, no permission on the file itself is needed.
    for mayWrite in [true, false] {
      do throws(SystemError) {
        let descriptor = try folder.openFile(item.name, writing: mayWrite)
        return OpenedFile(item.path, descriptor, mayWrite: mayWrite)
      } catch {
        guard error.errno == EACCES, mayWrite || status.owner == FileSystem.user() else { throw error }
      }
    }
    // `/proc` tells which of this user's own processes have it open.
    return nil
  }

  /// Checks again, once the files can be opened no more: a process that came after the first check is seen now.
  ///
  /// - Throws: `inUse`.
  func requireUnopened() throws(RestoreError) { try check([]) }
}
