internal import EventLoop
internal import SQLiteSnapshot

/// What a data directory holds that an archive should have: databases and files, and what is neither.
struct DataDirectory {
  /// Names looked at. Every file is held open from before the first byte to the end, so that what is deleted or
  /// replaced meanwhile is still whole in the archive.
  static let maximumFiles = 10_000
  /// Names read of the data directory itself, most of which may be none of ours.
  private static let maximumNames = 1_000_000
  /// Directories within included directories; deeper ones are a mistake or a trap.
  static let maximumDepth = 32

  /// A file, by its name in the archive and where it is.
  struct Candidate {
    let name: String
    /// Held open, so that the path leads to this directory and no other, whatever becomes of it: a link that takes its place
    /// after it was looked at would lead out of the data directory.
    let directory: Directory
    let baseName: String
    let status: FileSystem.Status

    var path: String { "\(directory.path)/\(baseName)" }
  }

  private let root: Directory
  /// Before the first file was looked at: nanoseconds since 1970.
  let lookedAt = FileSystem.now()
  private(set) var databases: [Candidate] = []
  private(set) var files: [Candidate] = []
  private(set) var skipped: [Skipped] = []
  private var namesSeen = 0
  /// What is in already: includes may overlap.
  private var taken: Set<[UInt8]> = []

  /// Looks through a directory: for every `*.db` directly in it, and for the included paths, in which a database
  /// is one whatever its name. With `selection`, for the databases named there and nothing else.
  ///
  /// - Throws: `dataDirectory`, `invalidName`, `unknownDatabase`, `tooManyFiles`.
  init(
    _ path: String, includes: [ArchiveOptions.Include], selection: [String]?
  ) throws(BackupError) {
    let names: [[UInt8]]
    do {
      root = try Directory(path: path)
      names = try FileSystem.names(in: root.path, limit: Self.maximumNames)
    } catch {
      throw .dataDirectory(path: path, detail: error.description)
    }
    guard names.count < Self.maximumNames else { throw .tooManyFiles(limit: Self.maximumNames) }
    let wanted = names.filter(Self.isDatabaseName)
    try count(wanted)
    if let selection {
      for name in selection.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
        guard Self.isFileName(name) else { throw .invalidName(name) }
        guard wanted.contains(name.bytes) else { throw .unknownDatabase(name) }
        try add(name.bytes, in: root, "", depth: 0)
      }
    } else {
      for name in wanted.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
        try add(name, in: root, "", depth: 0)
      }
      for include in includes { try add(include) }
      try sortOutFiles(asked: Set(includes.map(\.path.bytes)))
    }
    refuseLinkedDatabases()
  }

  /// Names are compared as bytes: two that look the same may be two files.
  static func isDatabaseName(_ name: [UInt8]) -> Bool { name.suffix(3).elementsEqual(".db".utf8) }

  /// Leaves out the databases that must not be opened under the name that they have here: one with a second name has
  /// its log and its locks, or its journal, under one of the two, and whoever opens it by the other sees neither.
  ///
  /// https://www.sqlite.org/howtocorrupt.html §2.5.
  private mutating func refuseLinkedDatabases() {
    for candidate in databases where candidate.status.linkCount > 1 {
      skip(candidate.name, .hardLink, "it has a second name, and its log or journal may belong to that one")
    }
    databases.removeAll { $0.status.linkCount > 1 }
  }

  /// Finds the databases among the files, by their first bytes, and leaves out what belongs to one: a plain copy of
  /// either would be torn.
  ///
  /// A `-shm` must not be opened at all, since its database may be pinned, be it under another name by now. So a file is
  /// looked into only if it can be none: by its name, when it has no other; else by what it is.
  ///
  /// - Parameter asked: the paths included by name, of which none is left out silently.
  private mutating func sortOutFiles(asked: Set<[UInt8]>) throws(BackupError) {
    var others: [Candidate] = []
    for file in files {
      let mayBeLookedInto = file.status.linkCount == 1 && !isBesideItsDatabase(file)
      guard let isDatabase = mayBeLookedInto ? try look(into: file) : false else { continue }
      if isDatabase { databases.append(file) } else { others.append(file) }
    }
    files.removeAll()
    var names = Set(databases.map(\.name.bytes))
    let inUse = Set(
      databases.flatMap { database in
        ([""] + Self.companionSuffixes).compactMap {
          try? FileSystem.status(database.path + $0).identity
        }
      })
    for file in others {
      if let database = Self.database(ofCompanion: file.name), names.contains(database) {
        guard asked.contains(file.name.bytes) else { continue }
        skip(file.name, .companion, "it belongs to the database beside it, whose snapshot has its content")
      } else if Self.isCalledIndex(file.name) {
        skip(file.name, .companion, "it is called as the index of a log is, which nobody but SQLite may open")
      } else if file.status.linkCount > 1 {
        guard let isDatabase = try inUse.contains(file.status.identity) ? true : look(into: file) else {
          continue
        }
        guard isDatabase else {
          files.append(file)
          continue
        }
        names.insert(file.name.bytes)
        skip(file.name, .hardLink, "it is a database, or what belongs to one, that has another name as well")
      } else {
        files.append(file)
      }
    }
  }

  /// Whether a file is a database; nil if nobody can tell, in which case it is skipped: a plain copy might be torn.
  private mutating func look(into file: Candidate) throws(BackupError) -> Bool? {
    do throws(SQLiteError) { return try PlainFile.isDatabase(file.path) } catch {
      if error.reason == .noMemory { throw .system(error.description) }
      let reason =
        FileSystem.isMissing(file.path) ? SkipReason.missing.rawValue : error.reason.rawValue
      skipped.append(Skipped(path: file.name, reason: reason, detail: error.description))
      return nil
    }
  }

  private static func isCalledIndex(_ name: String) -> Bool {
    name.utf8.suffix(4).elementsEqual("-shm".utf8)
  }

  /// Whether a file is called as an index, or as the log or the journal of one that is there.
  private func isBesideItsDatabase(_ file: Candidate) -> Bool {
    if Self.isCalledIndex(file.name) { return true }
    guard let database = Self.database(ofCompanion: file.path) else { return false }
    return !FileSystem.isMissing(String(decoding: database, as: UTF8.self))
  }

  private static let companionSuffixes = ["-wal", "-shm", "-journal"]

  /// The name of the database that a file belongs to, if its own name is that of a log, an index or a journal.
  private static func database(ofCompanion name: String) -> [UInt8]? {
    for suffix in companionSuffixes where name.utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) {
      return Array(name.utf8.dropLast(suffix.utf8.count))
    }
    return nil
  }

  /// Whether a name can be that of something directly in a directory.
  private static func isFileName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/"))
      && !name.utf8.contains(0)
  }

  private mutating func add(_ include: ArchiveOptions.Include) throws(BackupError) {
    let parts = include.path.utf8.split(separator: UInt8(ascii: "/")).map {
      String(decoding: $0, as: UTF8.self)
    }
    guard let last = parts.last else { return }
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
    case .regular where Self.isDatabaseName(nameBytes): databases.append(candidate)
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

  private mutating func count(_ names: [[UInt8]]) throws(BackupError) {
    namesSeen += names.count
    guard namesSeen <= Self.maximumFiles else { throw .tooManyFiles(limit: Self.maximumFiles) }
  }

  private mutating func skip(_ name: String, _ reason: SkipReason, _ detail: String) {
    skipped.append(Skipped(path: name, reason: reason.rawValue, detail: detail))
  }
}
