import SQLiteSnapshot
import System

/// What the data directory and the included paths hold, by names and kinds.
extension DataDirectory {
  /// Adds one name directly in the data directory, if it can be that of a database.
  mutating func addDirect(_ name: BytePath) throws(BackupError) {
    let status: FileSystem.Status?
    var fault: SystemError?
    do { status = try FileSystem.status(root.path(of: name)) } catch {
      status = nil
      fault = error
    }
    // A folder may have any name; one called `*.db` is named, since it stands where a database is expected.
    let isFolder = status?.kind == .directory && !name.hasSuffix(".db")
    guard !isExcluded(name) else {
      if !isFolder, try wouldBeTaken(name, status) { exclude(name) }
      return
    }
    guard !DatabaseNames.isCustomary(name) || isFolder else {
      return try add(name, in: root, "", depth: 0)
    }
    guard !taken.contains(name) else { return }
    if let fault, !fault.isMissing {
      skip(name, .init(fault), "\(fault); it may be a database")
    }
    // Of what has no name of a database nothing is said, unless it is one or may be one.
    guard let status, status.kind == .regular else { return }
    if name.string != nil {
      unknown.append(Candidate(path: name, directory: root, status: status))
    } else {
      unnameable.append((name, status))
    }
  }

  /// Whether an excluded name directly in the data directory would be in the archive, or be skipped, if it were not excluded.
  private func wouldBeTaken(_ name: BytePath, _ status: FileSystem.Status?) throws(BackupError) -> Bool {
    guard !DatabaseNames.isCustomary(name) else { return true }
    guard let status, status.kind == .regular, status.linkCount == 1, !isBesideItsDatabase(name, in: root)
    else { return false }
    return try isDatabase(directly: name, status) ?? true
  }

  /// Adds an included path.
  mutating func add(_ include: ArchiveOptions.Include) throws(BackupError) {
    let parts = include.path.components.filter { !$0.isEmpty }
    guard let last = parts.last else { return }
    guard !exclusion.matchesAnyPart(of: include.path) else {
      if !FileSystem.isMissing(root.path.appending(include.path)) { exclude(include.path) }
      return
    }
    var directory = root
    var parent: BytePath = ""
    var way: BytePath = ""
    do {
      for part in parts.dropLast() {
        way = parent.appending(part)
        directory = try directory.directory(part)
        parent = way
      }
      _ = try FileSystem.status(directory.path(of: last))
    } catch  where error.isLink && way != parent {
      // A link on the way would lead out of the directory.
      let fault = "\(way.lossyString) is no directory of its own, and links are not followed"
      return skip(include.path, .symbolicLink, fault)
    } catch {
      if include.isRequired || !error.isMissing { skip(include.path, .init(error), error.description) }
      return
    }
    try add(last, in: directory, parent, depth: 1)
  }

  /// Adds one name of a directory, with all that is in it if it is a directory itself.
  ///
  /// - Parameters:
  ///   - parent: `directory`'s path in the archive; empty for the data directory.
  ///   - depth: 0 for the data directory, whose own directories are not entered.
  private mutating func add(
    _ name: BytePath, in directory: Directory, _ parent: BytePath, depth: Int
  ) throws(BackupError) {
    let path = parent.appending(name)
    guard !isExcluded(path) else { return exclude(path) }
    guard name.string != nil else { return skip(path, .nameNotUTF8, "its name is not UTF-8") }
    guard taken.insert(path).inserted else { return }
    let status: FileSystem.Status
    do { status = try FileSystem.status(directory.path(of: name)) } catch {
      return skip(path, .init(error), error.description)
    }
    let candidate = Candidate(path: path, directory: directory, status: status)
    switch status.kind {
    case .regular where DatabaseNames.isCustomary(name): databases.append(candidate)
    case .regular: files.append(candidate)
    case .symbolicLink: skip(path, .symbolicLink, "symbolic links are not followed")
    case .directory where depth > 0: try addContents(of: name, in: directory, path, depth: depth)
    case .directory, .other: skip(path, .notARegularFile, "neither a regular file nor a directory to include")
    }
  }

  private mutating func addContents(
    of name: BytePath, in parent: Directory, _ path: BytePath, depth: Int
  ) throws(BackupError) {
    guard depth <= Self.maximumDepth else {
      return skip(path, .tooDeep, "directories are entered \(Self.maximumDepth) deep")
    }
    let directory: Directory
    let names: [BytePath]
    do {
      directory = try parent.directory(name)
      names = try FileSystem.names(in: directory.path, limit: Self.maximumFiles + 1)
    } catch {
      return skip(path, .init(error), error.description)
    }
    try count(names)
    for inner in names.sorted() { try add(inner, in: directory, path, depth: depth + 1) }
  }

  /// What this program leaves behind is excluded unless it is included by its own name; what a pattern matches, in any case.
  private func isExcluded(_ path: BytePath) -> Bool {
    exclusion.matches(path) || exclusion.matchesDatabase(ofCompanion: path)
      || (Exclusion.isLeftover(path) && !explicit.contains(path))
  }

  private mutating func exclude(_ path: BytePath) {
    guard taken.insert(path).inserted, !exclusion.matchesDatabase(ofCompanion: path) else { return }
    excluded.append(path)
  }
}
