import Archive
import System
import Zip

/// A directory inside the one that is restored into, with the new files and the journal.
///
/// Inside it, and not beside it: the directory may be a mount point, and its parent another file system, or nothing that
/// its owner may write to. It is not taken for data: the application looks for names that it knows, and a backup takes
/// what directly is in the directory, or asked for.
///
/// The lock on the file `lock` tells a restore that runs from one that was killed.
final class RestoreStaging {
  let name: BytePath
  let directory: Directory
  private let target: RestoreTarget
  private let lock: Descriptor?

  private static let lockName: BytePath = "lock"
  private static let lockRange = Descriptor.LockRange(start: 0, count: 1)

  /// Makes one.
  ///
  /// - Throws: `staging`, `directory` if another restore runs.
  init(in target: RestoreTarget) throws(RestoreError) {
    let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
    name = BytePath(RestorableNames.stagingPrefix + String(repeating: "0", count: 16 - digits.count) + digits)
    self.target = target
    do {
      directory = try target.directory.makeDirectory(name)
      let lock = try directory.makeFile(Self.lockName)
      // No other process knows of it yet.
      _ = try lock.lock(Self.lockRange)
      self.lock = consume lock
    } catch {
      try? target.directory.removeDirectory(name)
      throw .staging(path: name, detail: "\(error)")
    }
  }

  /// Takes over what a restore that was killed has left.
  ///
  /// - Throws: `directory` if it is still running, or was not ours.
  init(leftAs name: BytePath, in target: RestoreTarget, dryRun: Bool = false) throws(RestoreError) {
    self.name = name
    self.target = target
    let isFree: Bool
    do {
      directory = try target.directory.directory(name)
      let owner = try directory.status().owner
      guard owner == FileSystem.user() || owner == target.status.owner else {
        throw RestoreError.directory(
          path: target.path,
          detail: "\(name) belongs to user \(owner): look at it, and remove it if it is not needed")
      }
      // It was killed before it had one.
      if try directory.status(Self.lockName) == nil {
        lock = dryRun ? nil : try directory.makeFile(Self.lockName)
        isFree = true
      } else {
        let lock = try directory.openFile(Self.lockName, writing: true)
        isFree = try lock.lock(Self.lockRange)
        self.lock = consume lock
      }
    } catch let error as RestoreError {
      throw error
    } catch {
      throw .directory(
        path: target.path, detail: "\(name), left by a restore that was killed, cannot be looked at: \(error)"
      )
    }
    guard isFree else {
      throw .directory(path: target.path, detail: "another restore is under way: \(name) is in use")
    }
  }

  /// The names of all that are there.
  static func names(in target: RestoreTarget) throws(RestoreError) -> [BytePath] {
    do {
      return try target.directory.names().filter {
        $0.hasPrefix(BytePath(RestorableNames.stagingPrefix))
          && (try? target.directory.status($0)?.kind) == .directory
      }.sorted()
    } catch {
      throw .directory(path: target.path, detail: "\(error)")
    }
  }

  /// Refuses to go on beside another restore that runs. Both give up if they begin in the same instant.
  func checkIsOnly() throws(RestoreError) {
    for other in try Self.names(in: target) where other != name {
      throw .directory(path: target.path, detail: "another restore is under way: \(other)")
    }
  }

  /// Stages one file of an archive, verified and synced.
  ///
  /// - Parameters:
  ///   - index: its name here.
  ///   - replaced: what the file is like that it replaces, if there is one.
  ///   - progress: gets how many bytes were written, piece by piece.
  ///   - sync: makes the file last.
  /// - Returns: its inode.
  func stage(
    _ path: BytePath, of archive: RestorableArchive, as index: Int, replacing replaced: FileSystem.Status?,
    _ progress: (Int) -> Void,
    sync: (consuming Descriptor) throws(SystemError) -> Void = { (file) throws(SystemError) in try file.sync()
    }
  ) throws(RestoreError) -> UInt64 {
    let member = archive.members[path]
    let permissions =
      replaced?.permissions ?? (member?.permissions ?? 0o644) & target.status.permissions
    do {
      let file = try directory.makeFile(RestoreJournal.stagedName(index))
      let number = file.rawValue
      try archive.read(path) { piece in
        try SystemCalls.writeAll(piece, to: number)
        progress(piece.count)
      }
      try file.own(as: replaced ?? target.status, permissions: permissions)
      file.setModified(member?.modified ?? 0)
      let inode = try file.status().identity.inode
      try sync(file)
      return inode
    } catch let error as RestoreError {
      throw error
    } catch {
      throw .staging(path: path, detail: "\(error)")
    }
  }

  /// Writes the journal down: from now on, the next run goes on. If that fails, there is none.
  func write(_ journal: RestoreJournal) throws(SystemError) {
    var journal = journal
    journal.staging = try directory.status().identity.inode
    let file = try directory.makeFile(RestoreJournal.unfinished)
    try file.write(journal.encoded())
    try file.sync()
    try directory.sync()
    try target.directory.sync()
    try directory.rename(RestoreJournal.unfinished, to: directory, RestoreJournal.forward)
    do { try directory.sync() } catch {
      try directory.remove(RestoreJournal.forward)
      throw error
    }
  }

  /// The journal of a restore that was killed, and whether it was on its way back; nil if it had not begun.
  func journal() throws(RestoreError) -> (journal: RestoreJournal, isBackward: Bool)? {
    for name in [RestoreJournal.backward, RestoreJournal.forward] {
      do {
        guard try directory.status(name) != nil else { continue }
        let file = try directory.openFile(name, writing: false)
        let text = try file.read(atMost: RestoreJournal.maximumSize)
        guard let journal = RestoreJournal(text) else {
          throw RestoreError.directory(
            path: target.path, detail: "\(self.name)/\(name) is no journal that this version can read")
        }
        guard try journal.staging == nil || journal.staging == directory.status().identity.inode else {
          throw RestoreError.directory(
            path: target.path,
            detail:
              "\(self.name) is a copy of what a restore that was killed has left, which only the original can go on "
              + "with; here, put back by hand what is kept as NAME\(journal.suffix), and remove \(self.name)")
        }
        return (journal, name == RestoreJournal.backward)
      } catch let error as RestoreError {
        throw error
      } catch {
        throw .directory(path: target.path, detail: "\(self.name)/\(name): \(error)")
      }
    }
    return nil
  }

  /// Goes on with what a restore that was killed had begun, in its direction.
  func recover() throws(RestoreError) {
    defer { remove() }
    if let (journal, isBackward) = try journal() {
      let transaction = RestoreTransaction(
        target: target, staging: directory, stagingName: name, journal: journal, isResumed: true)
      let use = try DatabaseUse(of: journal, in: target)
      try use.hold()
      if isBackward {
        try transaction.rollBack(because: RestoreError.rolledBack(detail: "\(name) was being undone"))
      } else {
        try SuperJournal.check(journal, in: target)
        try transaction.commit { () throws(RestoreError) in try use.requireUnopened() }
      }
    }
  }

  /// Removes it with all that is in it; without a journal that is nothing of worth.
  func remove() {
    guard let names = try? directory.names(),
      !names.contains(RestoreJournal.forward), !names.contains(RestoreJournal.backward)
    else { return }
    for name in names { try? directory.remove(name) }
    try? target.directory.removeDirectory(name)
    try? target.directory.sync()
  }
}
