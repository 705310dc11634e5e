import SQLiteSnapshot
import System

/// What a data directory holds that an archive should have: databases and files, and what is neither.
struct DataDirectory {
  /// Names looked at. Every file is held open from before the first byte to the end, so that what is deleted or
  /// replaced meanwhile is still whole in the archive.
  static let maximumFiles = 10_000
  /// Names read of the data directory itself, most of which may be none of ours.
  private static let maximumNames = 1_000_000
  /// Directories within included directories; deeper ones are a mistake or a trap.
  static let maximumDepth = 32
  /// A database with content has at least one page, and SQLite's smallest page has so many bytes: fileformat2.html §1.3.2.
  private static let smallestDatabase: UInt64 = 512

  /// A file, by its name in the archive and where it is.
  struct Candidate {
    let name: String
    /// Held open, so that the path leads to this directory and no other, whatever becomes of it: a link that takes its place
    /// after it was looked at would lead out of the data directory.
    let directory: Directory
    let baseName: String
    let status: FileSystem.Status

    var path: String { "\(directory.path)/\(baseName)" }

    /// Whether its first bytes are SQLite's, or cannot be read. SQLite takes an empty file for a database.
    var mayBeDatabase: Bool { status.size == 0 || (try? PlainFile.isDatabase(path)) ?? true }
  }

  private let root: Directory
  /// Before the first file was looked at: nanoseconds since 1970.
  let lookedAt = FileSystem.now()
  private(set) var databases: [Candidate] = []
  private(set) var files: [Candidate] = []
  private(set) var skipped: [Skipped] = []
  /// Files directly in the data directory that are taken if they turn out to be databases, and only then.
  private var unknown: [Candidate] = []
  /// The same of those whose names no entry can have. If one is a database, or may be one, it is skipped.
  private var unnameable: [(name: [UInt8], status: FileSystem.Status)] = []
  /// Whether one of the files that are skipped is known to be a database.
  private(set) var skipsDatabase = false
  /// What an exclusion matched. A folder stands for all in it.
  private(set) var excluded: [String] = []
  private let exclusion: Exclusion
  /// The paths that are included by name.
  private let explicit: Set<[UInt8]>
  /// Whether only some databases were asked for.
  let isSelection: Bool
  private var namesSeen = 0
  /// What is in already: includes may overlap.
  private var taken: Set<[UInt8]> = []

  /// Looks through a directory: for the databases directly in it, which are those with a customary name and those that
  /// begin as SQLite's do, and for the included paths. With `selection`, for the databases named there and nothing else.
  ///
  /// - Throws: `dataDirectory`, `invalidName`, `unknownDatabase`, `tooManyFiles`.
  init(
    _ path: String, includes: [ArchiveOptions.Include], excludes: [String] = [], selection: [String]?
  ) throws(BackupError) {
    exclusion = Exclusion(excludes)
    explicit = Set(includes.map(\.path.bytes))
    isSelection = selection != nil
    let names: [[UInt8]]
    do {
      root = try Directory(path: path)
      names = try FileSystem.names(in: root.path, limit: Self.maximumNames)
    } catch {
      throw .dataDirectory(path: path, detail: error.description)
    }
    guard names.count < Self.maximumNames else { throw .tooManyFiles(limit: Self.maximumNames) }
    try count(names.filter(DatabaseNames.isCustomary))
    for include in includes { try add(include) }
    for name in names.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      try addDirect(name)
    }
    try classify()
    refuseLinkedDatabases()
    databases.sort { $0.name.bytes.lexicographicallyPrecedes($1.name.bytes) }
    if let selection { try select(selection) }
  }

  /// Keeps the databases of these names, and what is to be said of them.
  private mutating func select(_ selection: [String]) throws(BackupError) {
    let selected = Set(selection.map(\.bytes))
    let known = Set(databases.map(\.name.bytes)).union(skipped.map(\.path.bytes))
    for name in selection {
      guard Self.isPath(name) else { throw .invalidName(name) }
      guard known.contains(name.bytes) else { throw .unknownDatabase(name) }
    }
    databases.removeAll { !selected.contains($0.name.bytes) }
    skipped.removeAll { !selected.contains($0.path.bytes) }
    files = []
    excluded = []
  }

  /// Whether there is a database among what was found, or something that is skipped in the place of one.
  var hasDatabase: Bool {
    databases.contains { candidate in
      candidate.mayBeDatabase || PlainFiles.log(of: candidate) != nil
    } || skipsDatabase || skipped.contains { DatabaseNames.isCustomary($0.path.bytes) }
  }

  /// Whether a file directly in a directory has a database's name and first bytes: of most directories that is soon said, while
  /// all others would have to be opened.
  ///
  /// - Throws: `dataDirectory`.
  static func hasDatabaseByName(_ path: String, excludes: [String]) throws(BackupError) -> Bool {
    let exclusion = Exclusion(excludes)
    do throws(SystemError) {
      let root = try Directory(path: path)
      let names = try FileSystem.names(in: root.path, limit: maximumNames)
      return names.contains { name in
        let file = "\(root.path)/\(String(decoding: name, as: UTF8.self))"
        guard DatabaseNames.isCustomary(name), !exclusion.matches(name),
          let status = try? FileSystem.status(file), status.kind == .regular, status.linkCount == 1
        else { return false }
        return (try? PlainFile.isDatabase(file)) ?? false
      }
    } catch {
      throw .dataDirectory(path: path, detail: error.description)
    }
  }

  /// Leaves out the databases that must not be opened under the name that they have here: one with a second name has
  /// its log and its locks, or its journal, under one of the two, and whoever opens it by the other sees neither.
  ///
  /// https://www.sqlite.org/howtocorrupt.html §2.5.
  private mutating func refuseLinkedDatabases() {
    for candidate in databases where candidate.status.linkCount > 1 {
      skip(candidate.name, .hardLink, "it has a second name, and its log or journal may belong to that one")
    }
    let count = databases.count
    databases.removeAll { $0.status.linkCount > 1 }
    if databases.count < count { skipsDatabase = true }
  }

  /// Finds the databases among the files, by their first bytes, and leaves out what belongs to one: a plain copy of
  /// either would be torn.
  ///
  /// A `-shm` must not be opened at all, since its database may be pinned, be it under another name by now. So a file is
  /// looked into only if it can be none: by its name, when it has no other; else by what it is.
  private mutating func classify() throws(BackupError) {
    let taken = Set(files.map(\.name.bytes))
    var others: [Candidate] = []
    for file in files + unknown {
      let mayBeOpened =
        file.status.linkCount == 1 && !isBesideItsDatabase(file.baseName.bytes, in: file.directory)
      let isTaken = taken.contains(file.name.bytes)
      guard let isDatabase = mayBeOpened ? try isDatabase(file, isTaken: isTaken) : false else { continue }
      if isDatabase { databases.append(file) } else { others.append(file) }
    }
    files.removeAll()
    unknown.removeAll()
    var names = Set(databases.map(\.name.bytes))
    let inUse = Set(
      databases.flatMap { database in
        ([""] + DatabaseNames.companionSuffixes).compactMap {
          try? FileSystem.status(database.path + $0).identity
        }
      })
    for file in others {
      let isTaken = taken.contains(file.name.bytes)
      if let database = DatabaseNames.database(ofCompanion: file.name.bytes), names.contains(database) {
        // What is included by name is not left out silently.
        guard explicit.contains(file.name.bytes) else { continue }
        skip(file.name, .companion, "it belongs to the database beside it, whose snapshot has its content")
      } else if DatabaseNames.isSharedMemory(file.name.bytes) {
        guard isTaken else { continue }
        skip(file.name, .companion, "its name is that of a wal-index, which only SQLite may open")
      } else if file.status.linkCount > 1 {
        let isInUse = inUse.contains(file.status.identity)
        guard let isDatabase = isInUse ? true : try isDatabase(file, isTaken: isTaken) else { continue }
        guard isDatabase else {
          if isTaken { files.append(file) }
          continue
        }
        names.insert(file.name.bytes)
        skipsDatabase = true
        skip(file.name, .hardLink, "it is a database, or what belongs to one, that has another name as well")
      } else if isTaken {
        files.append(file)
      }
    }
    try skipUnnameable(inUse)
  }

  /// Names the databases among the files whose names no entry can have, and those that may be one.
  ///
  /// - Parameter inUse: the databases and what belongs to them.
  private mutating func skipUnnameable(_ inUse: Set<FileSystem.Identity>) throws(BackupError) {
    for (name, status) in unnameable where !isBesideItsDatabase(name, in: root) {
      let isDatabase = inUse.contains(status.identity) ? true : try isDatabase(directly: name, status)
      guard isDatabase ?? true else { continue }
      if isDatabase != nil { skipsDatabase = true }
      skip(
        String(decoding: name, as: UTF8.self), .nameNotUTF8,
        isDatabase == nil
          ? "its name is not UTF-8, and it cannot be read: it may be a database" : "its name is not UTF-8")
    }
    unnameable.removeAll()
  }

  /// Whether a file begins as SQLite's databases do.
  ///
  /// - Parameter isTaken: whether it is taken if it is none.
  /// - Returns: nil if that cannot be found out. It is skipped then, since it may be a database.
  private mutating func isDatabase(_ file: Candidate, isTaken: Bool) throws(BackupError) -> Bool? {
    do throws(SQLiteError) { return try PlainFile.isDatabase(file.path) } catch {
      if error.reason == .noMemory { throw .system(error.description) }
      let isMissing = FileSystem.isMissing(file.path)
      // A database that has lost its content may have it in its log.
      let hasLog = DatabaseNames.logs(of: file.path).contains { !FileSystem.isMissing($0) }
      guard isTaken || hasLog || !isMissing && file.status.size >= Self.smallestDatabase else { return nil }
      let advice =
        isTaken || isMissing ? "" : "; it may be a database: let the service's user read it, or exclude it"
      skipped.append(
        Skipped(
          path: file.name, reason: isMissing ? SkipReason.missing.rawValue : error.reason.rawValue,
          detail: error.description + advice))
      return nil
    }
  }

  /// The same for a file directly in the data directory that is not taken.
  ///
  /// - Returns: nil if it may be one: it cannot be read, and is large enough.
  private func isDatabase(
    directly name: [UInt8], _ status: FileSystem.Status
  ) throws(BackupError) -> Bool? {
    let path = root.path(of: name)
    do throws(SQLiteError) { return try PlainFile.isDatabase(path) } catch {
      if error.reason == .noMemory { throw .system(error.description) }
      return status.size < Self.smallestDatabase || FileSystem.isMissing(path) ? false : nil
    }
  }

  /// Whether a file has the name of a wal-index, or that of the WAL or the journal of a database that is there.
  private func isBesideItsDatabase(_ name: [UInt8], in directory: Directory) -> Bool {
    if DatabaseNames.isSharedMemory(name) { return true }
    guard let database = DatabaseNames.database(ofCompanion: name) else { return false }
    return !FileSystem.isMissing(directory.path(of: database))
  }

  /// Whether a name can be that of something in a directory or below it.
  private static func isPath(_ name: String) -> Bool {
    let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return !name.utf8.contains(0)
      && !parts.contains { ["", ".", ".."].contains(String(decoding: $0, as: UTF8.self)) }
  }

  /// Adds one name directly in the data directory, if it can be that of a database.
  private mutating func addDirect(_ name: [UInt8]) throws(BackupError) {
    let status: FileSystem.Status?
    var fault: SystemError?
    do { status = try FileSystem.status(root.path(of: name)) } catch {
      status = nil
      fault = error
    }
    // A folder may have any name; one called `*.db` is named, since it stands where a database is expected.
    let isFolder = status?.kind == .directory && !name.suffix(3).elementsEqual(".db".utf8)
    guard !isExcluded(name) else {
      if !isFolder, try wouldBeTaken(name, status) { exclude(name) }
      return
    }
    guard !DatabaseNames.isCustomary(name) || isFolder else {
      return try add(name, in: root, "", depth: 0)
    }
    guard !taken.contains(name) else { return }
    if let fault, !fault.isMissing {
      skip(String(decoding: name, as: UTF8.self), .init(fault), "\(fault); it may be a database")
    }
    // Of what has no name of a database nothing is said, unless it is one or may be one.
    guard let status, status.kind == .regular else { return }
    if let baseName = String(validating: name, as: UTF8.self) {
      unknown.append(Candidate(name: baseName, directory: root, baseName: baseName, status: status))
    } else {
      unnameable.append((name, status))
    }
  }

  /// Whether an excluded name directly in the data directory would be in the archive, or be skipped, if it were not excluded.
  private func wouldBeTaken(_ name: [UInt8], _ status: FileSystem.Status?) throws(BackupError) -> Bool {
    guard !DatabaseNames.isCustomary(name) else { return true }
    guard let status, status.kind == .regular, status.linkCount == 1, !isBesideItsDatabase(name, in: root)
    else { return false }
    return try isDatabase(directly: name, status) ?? true
  }

  private mutating func add(_ include: ArchiveOptions.Include) throws(BackupError) {
    let parts = include.path.utf8.split(separator: UInt8(ascii: "/")).map {
      String(decoding: $0, as: UTF8.self)
    }
    guard let last = parts.last else { return }
    guard !exclusion.matchesAnyPart(of: include.path.bytes) else {
      if !FileSystem.isMissing("\(root.path)/\(include.path)") { exclude(include.path.bytes) }
      return
    }
    var directory = root
    var parent = ""
    do {
      for part in parts.dropLast() {
        parent += part
        directory = try directory.directory(part)
        parent += "/"
      }
      _ = try FileSystem.status("\(directory.path)/\(last)")
    } catch  where error.isLink && parent.utf8.last != UInt8(ascii: "/") {
      // A link on the way would lead out of the directory.
      skip(include.path, .symbolicLink, "\(parent) is no directory of its own, and links are not followed")
      return
    } catch {
      if include.isRequired || !error.isMissing { skip(include.path, .init(error), error.description) }
      return
    }
    try add(last.bytes, in: directory, parent, depth: 1)
  }

  /// Adds one name of a directory, with all that is in it if it is a directory itself.
  ///
  /// - Parameters:
  ///   - parent: `directory`'s name in the archive, with a slash at its end; empty for the data directory.
  ///   - depth: 0 for the data directory, whose own directories are not entered.
  private mutating func add(
    _ nameBytes: [UInt8], in directory: Directory, _ parent: String, depth: Int
  ) throws(BackupError) {
    let path = parent.bytes + nameBytes
    guard !isExcluded(path) else { return exclude(path) }
    guard let baseName = String(validating: nameBytes, as: UTF8.self) else {
      skip(parent + String(decoding: nameBytes, as: UTF8.self), .nameNotUTF8, "its name is not UTF-8")
      return
    }
    let name = parent + baseName
    guard taken.insert(name.bytes).inserted else { return }
    let status: FileSystem.Status
    do { status = try FileSystem.status("\(directory.path)/\(baseName)") } catch {
      skip(name, .init(error), error.description)
      return
    }
    let candidate = Candidate(name: name, directory: directory, baseName: baseName, status: status)
    switch status.kind {
    case .regular where DatabaseNames.isCustomary(nameBytes): databases.append(candidate)
    case .regular: files.append(candidate)
    case .symbolicLink: skip(name, .symbolicLink, "symbolic links are not followed")
    case .directory where depth > 0: try addContents(of: baseName, in: directory, name, depth: depth)
    case .directory, .other: skip(name, .notARegularFile, "neither a regular file nor a directory to include")
    }
  }

  private mutating func addContents(
    of baseName: String, in parent: Directory, _ name: String, depth: Int
  ) throws(BackupError) {
    guard depth <= Self.maximumDepth else {
      skip(name, .tooDeep, "directories are entered \(Self.maximumDepth) deep")
      return
    }
    let directory: Directory
    let names: [[UInt8]]
    do {
      directory = try parent.directory(baseName)
      names = try FileSystem.names(in: directory.path, limit: Self.maximumFiles + 1)
    } catch {
      skip(name, .init(error), error.description)
      return
    }
    try count(names)
    for inner in names.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      try add(inner, in: directory, name + "/", depth: depth + 1)
    }
  }

  /// What this program leaves behind is excluded unless it is included by its own name; what a pattern matches, in any case.
  private func isExcluded(_ path: [UInt8]) -> Bool {
    exclusion.matches(path) || exclusion.matchesDatabase(ofCompanion: path)
      || (Exclusion.isLeftover(path) && !explicit.contains(path))
  }

  private mutating func exclude(_ path: [UInt8]) {
    guard taken.insert(path).inserted, !exclusion.matchesDatabase(ofCompanion: path) else { return }
    excluded.append(String(decoding: path, as: UTF8.self))
  }

  private mutating func count(_ names: [[UInt8]]) throws(BackupError) {
    namesSeen += names.count
    guard namesSeen <= Self.maximumFiles else { throw .tooManyFiles(limit: Self.maximumFiles) }
  }

  private mutating func skip(_ name: String, _ reason: SkipReason, _ detail: String) {
    skipped.append(Skipped(path: name, reason: reason.rawValue, detail: detail))
  }
}
