import System

/// A folder that only this user can enter, and all that is made in it, for as long as this lives.
struct ScratchFolder: ~Copyable {
  private static let prefix: BytePath = "sluice-drill-"
  /// In seconds. A younger one may not have its lock yet.
  private static let leftoverAge: Int64 = 60

  let path: BytePath
  /// Locked: so another drill sees that this one still runs.
  private let directory: Directory

  /// Removes the folders of drills that were killed, and makes a new one.
  ///
  /// - Throws: `SystemError` if nothing can be made there.
  init(in spoolDirectory: String) throws(SystemError) {
    let spool = try Directory(path: spoolDirectory)
    Self.removeLeftovers(in: spool)
    let path = try FileSystem.makeTemporaryFolder(in: BytePath(spoolDirectory), prefix: Self.prefix)
    let directory = try spool.directory(path.name)
    _ = try? directory.lock()
    self.path = path
    self.directory = directory
  }

  deinit {
    Self.empty(directory)
    FileSystem.removeDirectory(path)
  }

  /// Where the file system has no locks, nothing is removed.
  private static func removeLeftovers(in spool: Directory) {
    let oldest = FileSystem.now() / 1_000_000_000 - leftoverAge
    for name in (try? spool.names()) ?? [] where name.hasPrefix(prefix) {
      guard let folder = try? spool.directory(name), let status = try? folder.status(),
        status.owner == FileSystem.user(), status.modified < oldest, (try? folder.lock()) == true
      else { continue }
      empty(folder)
      try? spool.removeDirectory(name)
    }
  }

  /// Follows no link.
  private static func empty(_ directory: Directory) {
    for name in (try? directory.names()) ?? [] {
      guard let status = try? directory.status(name) else { continue }
      guard status.kind == .directory, let folder = try? directory.directory(name) else {
        try? directory.remove(name)
        continue
      }
      empty(folder)
      try? directory.removeDirectory(name)
    }
  }
}
