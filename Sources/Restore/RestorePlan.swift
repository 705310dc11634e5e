import Archive
import System

/// What a restore would do, before anything is done: which entries, what they replace, what is kept as what.
struct RestorePlan {
  /// What the journal will say, but for the inodes of files that are not staged yet.
  private(set) var journal: RestoreJournal
  /// Kept files: the name of each, and the one that it would get.
  private(set) var kept: [(path: String, as: String)] = []
  /// What the files are like that would be replaced.
  private(set) var replaced: [[UInt8]: FileSystem.Status] = [:]
  /// Whether something is there already under a name that a kept file would get.
  private(set) var isNameTaken = false
  /// Those whose other name would be too long.
  private var unkeepable: [String] = []

  private var newFolders: Set<[UInt8]> = []
  private var namesSize = 0

  /// Chooses entries of an archive. `VERSION` and `MANIFEST.json` are the archive's own and were never in the
  /// directory: they are chosen by name alone.
  ///
  /// - Parameter only: files and folders; none for everything.
  /// - Throws: `unknownPath`, `unsafeEntry`.
  static func selection(of paths: [String], only: [String]) throws(RestoreError) -> [String] {
    guard !only.isEmpty else { return paths.filter { !ArchiveOptions.reservedNames.contains($0) } }
    for wanted in only where !paths.contains(where: { matches($0, [wanted]) }) {
      throw .unknownPath(wanted)
    }
    return paths.filter { matches($0, only) }
  }

  /// Whether a path is one of these, or in one of them.
  static func matches(_ path: String, _ only: [String]) -> Bool {
    let parts = RestoreTarget.parts(path)
    return only.contains { wanted in
      let wanted = RestoreTarget.parts(wanted)
      return !wanted.isEmpty && parts.map(\.bytes).starts(with: wanted.map(\.bytes))
    }
  }

  /// Looks at what is in the directory by the names of the chosen entries. Nothing is changed.
  ///
  /// - Parameters:
  ///   - paths: the chosen entries.
  ///   - all: every file of the archive, by its bytes.
  ///   - databases: those of all that are databases.
  ///   - customary: those of all that have a database's name, whatever they are.
  ///   - timestamp: for the names of what is kept.
  /// - Throws: `unsafeEntry`, `obstacle`, `cannotKeep`.
  init(
    _ paths: [String], of all: Set<[UInt8]>, databases: Set<[UInt8]>, customary: Set<[UInt8]> = [],
    in target: RestoreTarget, timestamp: String
  ) throws(RestoreError) {
    journal = RestoreJournal(suffix: RestorableNames.keptMark + timestamp, newFolders: [], items: [])
    // Names that differ in case only, or that show the same accent written in two ways, are two names to most file systems;
    // `RestoreTransaction` sees whether they are to this one.
    for path in paths {
      guard RestorableNames.isSafe(path) else {
        throw .unsafeEntry(path: path, .leadsElsewhere)
      }
      try add(path, all, databases, customary, target)
    }
    guard unkeepable.isEmpty else { throw .cannotKeep(unkeepable) }
    for path in paths {
      let parts = RestoreTarget.parts(path)
      for count in 1..<max(1, parts.count) {
        let folder = parts[..<count].joined(separator: "/")
        guard !all.contains(folder.bytes) else {
          throw .unsafeEntry(path: path, .folderIsFile)
        }
      }
    }
  }

  private mutating func add(
    _ path: String, _ all: Set<[UInt8]>, _ databases: Set<[UInt8]>, _ customary: Set<[UInt8]>,
    _ target: RestoreTarget
  ) throws(RestoreError) {
    for suffix in DatabaseNames.companionSuffixes
    where path.utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) {
      let database = String(decoding: path.utf8.dropLast(suffix.utf8.count), as: UTF8.self)
      guard !databases.contains(database.bytes), !customary.contains(database.bytes),
        all.contains(database.bytes) || !isThere(database, target)
      else {
        throw .unsafeEntry(path: path, .belongs(toDatabase: database))
      }
    }
    var item = RestoreJournal.Item(
      path: path,
      companions: DatabaseNames.companionSuffixes.filter { !all.contains((path + $0).bytes) })
    let isFolderNew: Bool
    do throws(SystemError) {
      let folder = try target.folder(item.folder)
      isFolderNew = folder == nil
      if let folder { try look(in: folder, for: &item, target) }
    } catch {
      throw .obstacle(path: path, detail: Self.detail(error))
    }
    if isFolderNew { try addFolders(item.folder, target) }
    // All of it is on one file system, and so what holds for one folder does for a new one.
    guard target.directory.canHave(item.name) else {
      throw .unsafeEntry(path: path, .nameTooLong)
    }
    guard !databases.contains(path.bytes) || target.directory.canHave(item.name + "-journal") else {
      throw .unsafeEntry(path: path, .journalNameTooLong)
    }
    journal.items.append(item)
  }

  /// Looks what stands under an entry's name, and beside it.
  private mutating func look(
    in folder: Directory, for item: inout RestoreJournal.Item, _ target: RestoreTarget
  ) throws(SystemError) {
    guard try folder.status().identity.device == target.status.identity.device else {
      throw .otherFileSystem
    }
    for suffix in [""] + item.companions {
      guard let status = try folder.status(item.name + suffix) else { continue }
      guard status.kind == .regular else { throw .noRegularFile }
      if suffix.isEmpty {
        item.replaced = status.identity.inode
        replaced[item.path.bytes] = status
      }
      kept.append((item.path + suffix, item.path + journal.suffix + suffix))
      if try folder.status(item.name + journal.suffix + suffix) != nil { isNameTaken = true }
      if !folder.canHave(item.name + journal.suffix + suffix) { unkeepable.append(item.path + suffix) }
    }
  }

  private func isThere(_ path: String, _ target: RestoreTarget) -> Bool {
    let parts = RestoreTarget.parts(path)
    guard let name = parts.last,
      let folder = try? target.folder(parts.dropLast().joined(separator: "/"))
    else { return false }
    return (try? folder.status(name)) != nil
  }

  private mutating func addFolders(_ path: String, _ target: RestoreTarget) throws(RestoreError) {
    let parts = RestoreTarget.parts(path)
    for depth in 1...parts.count {
      let folder = parts[..<depth].joined(separator: "/")
      guard !newFolders.contains(folder.bytes), (try? target.folder(folder)) == nil else { continue }
      try count(folder)
      guard target.directory.canHave(parts[depth - 1]) else {
        throw .unsafeEntry(path: folder, .nameTooLong)
      }
      newFolders.insert(folder.bytes)
      journal.newFolders.append(folder)
    }
  }

  private mutating func count(_ path: String) throws(RestoreError) {
    namesSize += path.utf8.count
    guard namesSize <= RestorableNames.maximumSize else {
      throw .unsafeEntry(path: path, .namesTooLong(limit: RestorableNames.maximumSize))
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

  /// Takes down which staged file is which.
  mutating func stage(_ index: Int, inode: UInt64) { journal.items[index].inode = inode }
}
