import Archive
import System

/// What a restore would do, before anything is done: which entries, what they replace, what is kept as what.
struct RestorePlan {
  /// What an archive has: the names that a plan must do justice to.
  struct Names {
    /// Every file of the archive.
    var all: Set<BytePath>
    /// Those of all that are databases.
    var databases: Set<BytePath>
    /// Those of all that have a database's name, whatever they are.
    var customary: Set<BytePath> = []
  }

  /// What the journal will say, but for the inodes of files that are not staged yet.
  private(set) var journal: RestoreJournal
  /// Kept files: the name of each, and the one that it would get.
  private(set) var kept: [(path: BytePath, as: BytePath)] = []
  /// What the files are like that would be replaced.
  private(set) var replaced: [BytePath: FileSystem.Status] = [:]
  /// Whether something is there already under a name that a kept file would get.
  private(set) var isNameTaken = false
  /// Those whose other name would be too long.
  private var unkeepable: [BytePath] = []

  private let names: Names
  private let target: RestoreTarget
  private var newFolders: Set<BytePath> = []
  private var namesSize = 0

  /// Chooses entries of an archive. `VERSION` and `MANIFEST.json` are the archive's own and were never in the
  /// directory: they are chosen by name alone.
  ///
  /// - Parameter only: files and folders; none for everything.
  /// - Throws: `unknownPath`.
  static func selection(of paths: [BytePath], only: [BytePath]) throws(RestoreError) -> [BytePath] {
    guard !only.isEmpty else { return paths.filter { !isReserved($0) } }
    for chosen in only where !paths.contains(where: { matches($0, [chosen]) }) {
      throw .unknownPath(chosen)
    }
    return paths.filter { matches($0, only) }
  }

  private static func isReserved(_ path: BytePath) -> Bool {
    ArchiveOptions.reservedNames.contains { BytePath($0) == path }
  }

  /// Whether a path is one of these, or in one of them, which may be written with further slashes.
  static func matches(_ path: BytePath, _ only: [BytePath]) -> Bool {
    only.contains { chosen in
      let names = chosen.components.filter { !$0.isEmpty }
      return !names.isEmpty && path.components.starts(with: names)
    }
  }

  /// Plans what is done for each of the chosen entries, by what is in the directory. Nothing is changed.
  ///
  /// - Parameters:
  ///   - paths: the chosen entries.
  ///   - names: of the archive.
  ///   - timestamp: for the names of what is kept.
  /// - Throws: `unsafeEntry`, `obstacle`, `cannotKeep`.
  init(
    _ paths: [BytePath], of names: Names, in target: RestoreTarget, timestamp: String
  ) throws(RestoreError) {
    self.names = names
    self.target = target
    journal = RestoreJournal(
      suffix: BytePath(RestorableNames.keptMark + timestamp), newFolders: [], items: [])
    // Names that differ in case only, or that show the same accent written in two ways, are two names to most file systems;
    // `RestoreTransaction` sees whether they are to this one.
    for path in paths {
      guard RestorableNames.isSafe(path) else { throw .unsafeEntry(path: path, .leadsElsewhere) }
      try add(path)
    }
    guard unkeepable.isEmpty else { throw .cannotKeep(unkeepable) }
    for path in paths where path.ancestors.contains(where: names.all.contains) {
      throw .unsafeEntry(path: path, .folderIsFile)
    }
  }

  /// Takes down which staged file is which.
  mutating func stage(_ index: Int, inode: UInt64) { journal.items[index].inode = inode }

  private mutating func add(_ path: BytePath) throws(RestoreError) {
    try refuseCompanion(path)
    var item = RestoredFile(
      path: path, companions: RestoredFile.companionSuffixes.filter { !names.all.contains(path + $0) })
    let isFolderNew: Bool
    do throws(SystemError) {
      let folder = try target.folder(item.folder)
      isFolderNew = folder == nil
      if let folder { try plan(&item, in: folder) }
    } catch {
      throw .obstacle(path: path, detail: Self.detail(error))
    }
    if isFolderNew { try addFolders(item.folder) }
    // All of it is on one file system, and so what holds for one folder does for a new one.
    guard target.directory.canHave(item.name) else { throw .unsafeEntry(path: path, .nameTooLong) }
    guard !names.databases.contains(path) || target.directory.canHave(item.name + "-journal") else {
      throw .unsafeEntry(path: path, .journalNameTooLong)
    }
    journal.items.append(item)
  }

  /// - Throws: `unsafeEntry` for what SQLite would take for a part of a database beside it.
  private func refuseCompanion(_ path: BytePath) throws(RestoreError) {
    for suffix in RestoredFile.companionSuffixes {
      guard let database = path.removing(suffix: suffix) else { continue }
      guard !names.databases.contains(database), !names.customary.contains(database),
        names.all.contains(database) || !isThere(database)
      else { throw .unsafeEntry(path: path, .belongs(toDatabase: database)) }
    }
  }

  /// Plans by what stands under an entry's name, and beside it.
  private mutating func plan(_ item: inout RestoredFile, in folder: Directory) throws(SystemError) {
    guard try folder.status().identity.device == target.status.identity.device else {
      throw .otherFileSystem
    }
    for suffix in ["" as BytePath] + item.companions {
      guard let status = try folder.status(item.name + suffix) else { continue }
      guard status.kind == .regular else { throw .noRegularFile }
      if suffix.isEmpty {
        item.replaced = status.identity.inode
        replaced[item.path] = status
      }
      kept.append((item.path + suffix, item.path + journal.suffix + suffix))
      if try folder.status(item.name + journal.suffix + suffix) != nil { isNameTaken = true }
      if !folder.canHave(item.name + journal.suffix + suffix) { unkeepable.append(item.path + suffix) }
    }
  }

  private func isThere(_ path: BytePath) -> Bool {
    guard let folder = try? target.parent(of: path) else { return false }
    return (try? folder.status(path.name)) != nil
  }

  private mutating func addFolders(_ path: BytePath) throws(RestoreError) {
    var folder: BytePath = ""
    for name in path.components {
      folder = folder.appending(name)
      guard !newFolders.contains(folder), (try? target.folder(folder)) == nil else { continue }
      namesSize += folder.bytes.count
      guard namesSize <= RestorableNames.maximumSize else {
        throw .unsafeEntry(path: folder, .namesTooLong(limit: RestorableNames.maximumSize))
      }
      guard target.directory.canHave(name) else { throw .unsafeEntry(path: folder, .nameTooLong) }
      newFolders.insert(folder)
      journal.newFolders.append(folder)
    }
  }

  private static func detail(_ error: SystemError) -> String {
    if error == .noRegularFile { return "it, or what is called as its log or journal, is no regular file" }
    if error == .otherFileSystem {
      return "its folder is on another file system, where no rename leads; restore it into that by itself"
    }
    if error.isLink { return "a folder on the way to it is a link, which is not followed, or no folder" }
    return "\(error)"
  }
}
