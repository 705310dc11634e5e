import Archive
import System

/// The files that are to be replaced, locked so that no process begins to use them, and the processes that use them already.
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
  private var locks: [LockedFile] = []
  private var lockHolders: [FileUser] = []

  private final class LockedFile {
    let descriptor: Descriptor
    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
  }

  private static let lockBytes = Descriptor.LockRange(start: 0x4000_0000, count: 2 + 510)

  /// Locks every file that would be replaced.
  ///
  /// - Throws: `inUse`; `obstacle` for one whose locks cannot be read.
  init(of journal: RestoreJournal, in target: RestoreTarget) throws(RestoreError) {
    for item in journal.items {
      do throws(SystemError) { try lock(item, journal.suffix, in: target) } catch {
        throw .obstacle(path: item.path, detail: "its locks cannot be read: \(error)")
      }
    }
    let others = FileUser.all(of: files)
    lockHolders.removeAll { user in user.pid == nil && others.contains { $0.path == user.path } }
    let all = Set(lockHolders).union(others)
    guard all.isEmpty else { throw .inUse(all.sorted { $0.description < $1.description }) }
  }

  private func lock(
    _ item: RestoredFile, _ keptSuffix: BytePath, in target: RestoreTarget
  ) throws(SystemError) {
    guard let folder = try target.folder(item.folder) else { return }
    for suffix in item.companions {
      guard let status = try folder.status(item.name + suffix) else { continue }
      files[status.identity] = item.path + suffix
    }
    // The kept name, too: a restore that was killed may have left the old file under that alone.
    for name in [item.name, item.name + keptSuffix] {
      guard let status = try folder.status(name), status.kind == .regular else { continue }
      files[status.identity] = item.path
      guard name == item.name else { continue }
      let file = LockedFile(try folder.openFile(name, writing: true))
      if try !file.descriptor.lock(Self.lockBytes) {
        lockHolders.append(FileUser(path: item.path, pid: file.descriptor.lockHolder(Self.lockBytes)))
      }
      locks.append(file)
    }
  }

  /// Checks again, once the files can be opened no more: a process that came after the first check is seen now.
  ///
  /// - Throws: `inUse`.
  func requireUnopened() throws(RestoreError) {
    let users = FileUser.all(of: files)
    guard users.isEmpty else { throw .inUse(users) }
  }
}
