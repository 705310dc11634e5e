import SQLiteSnapshot
import System

/// Which of the files are databases, which belong to one, and which may be neither taken nor passed over.
extension DataDirectory {
  /// A database with content has at least one page, and SQLite's smallest page has so many bytes: fileformat2.html §1.3.2.
  private static let smallestDatabase: UInt64 = 512

  /// Leaves out the databases that must not be opened under the name that they have here: one with a second name has
  /// its WAL and its locks, or its journal, under one of the two, and a process that opens it by the other sees neither.
  ///
  /// https://www.sqlite.org/howtocorrupt.html §2.5.
  mutating func refuseLinkedDatabases() {
    for candidate in databases where candidate.status.linkCount > 1 {
      skip(candidate.path, .hardLink, "it has a second name, and its WAL or journal may belong to that one")
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
  mutating func classify() throws(BackupError) {
    let included = Set(files.map(\.path))
    var others: [Candidate] = []
    for file in files + unknown {
      let mayBeOpened =
        file.status.linkCount == 1 && !isBesideItsDatabase(file.name, in: file.directory)
      let isIncluded = included.contains(file.path)
      guard let isDatabase = mayBeOpened ? try sniff(file, isIncluded: isIncluded) : false else { continue }
      if isDatabase { databases.append(file) } else { others.append(file) }
    }
    files.removeAll()
    unknown.removeAll()
    var names = Set(databases.map(\.path))
    let inUse = filesInUse()
    // In their order, a name comes before those that begin with it.
    for file in others.sorted(by: { $0.path < $1.path }) {
      try classify(file, isIncluded: included.contains(file.path), databases: &names, inUse)
    }
    try skipUnnameable(inUse)
  }

  /// The databases that were found, and what belongs to them.
  private func filesInUse() -> Set<FileSystem.Identity> {
    Set(
      databases.flatMap { database in
        ([""] + CompanionFile.suffixes).compactMap {
          try? FileSystem.status(database.location + $0).identity
        }
      })
  }

  /// Takes, skips or leaves out a file that does not begin as a database does, or must not be opened.
  ///
  /// - Parameter names: of the databases.
  private mutating func classify(
    _ file: Candidate, isIncluded: Bool, databases names: inout Set<BytePath>,
    _ inUse: Set<FileSystem.Identity>
  ) throws(BackupError) {
    if let database = DatabaseNames.database(ofCompanion: file.path), names.contains(database) {
      // What is included by name is not left out silently.
      guard explicit.contains(file.path) else { return }
      skip(file.path, .companion, "it belongs to the database beside it, whose snapshot has its content")
    } else if DatabaseNames.hasShmSuffix(file.path) {
      guard isIncluded else { return }
      skip(file.path, .companion, "its name is that of a wal-index, which only SQLite may open")
    } else if file.status.linkCount > 1 {
      let isInUse = inUse.contains(file.status.identity)
      guard let isDatabase = isInUse ? true : try sniff(file, isIncluded: isIncluded) else { return }
      guard isDatabase else {
        if isIncluded { files.append(file) }
        return
      }
      names.insert(file.path)
      skipsDatabase = true
      skip(file.path, .hardLink, "it is a database, or what belongs to one, that has another name as well")
    } else if isBesideItsDatabase(file.name, in: file.directory) {
      // What is beside it is none: it was not looked into yet.
      guard let isDatabase = try sniff(file, isIncluded: isIncluded) else { return }
      if isDatabase {
        databases.append(file)
        names.insert(file.path)
      } else if isIncluded {
        files.append(file)
      }
    } else if isIncluded {
      files.append(file)
    }
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
        name, .nameNotUTF8,
        isDatabase == nil
          ? "its name is not UTF-8, and it cannot be read: it may be a database" : "its name is not UTF-8")
    }
    unnameable.removeAll()
  }

  /// Whether a file begins as SQLite's databases do.
  ///
  /// - Parameter isIncluded: whether it is taken if it is none.
  /// - Returns: nil if that cannot be found out. It is skipped then, since it may be a database.
  private mutating func sniff(_ file: Candidate, isIncluded: Bool) throws(BackupError) -> Bool? {
    do throws(SQLiteError) { return try PlainFile.isDatabase(file.location) } catch {
      if error.reason == .noMemory { throw .system(error.description) }
      let isMissing = FileSystem.isMissing(file.location)
      // A database that has lost its content may have it in its WAL.
      let hasLog = DatabaseNames.logs(of: file.location).contains { !FileSystem.isMissing($0) }
      guard isIncluded || hasLog || !isMissing && file.status.size >= Self.smallestDatabase else {
        return nil
      }
      let advice =
        isIncluded || isMissing ? "" : "; it may be a database: let the service's user read it, or exclude it"
      skipped.append(
        Skipped(
          path: file.path.lossyString,
          reason: isMissing ? SkipReason.missing.rawValue : error.reason.rawValue,
          detail: error.description + advice))
      return nil
    }
  }

  /// The same for a file directly in the data directory that is not taken.
  ///
  /// - Returns: nil if it may be one: it cannot be read, and is large enough.
  func isDatabase(directly name: BytePath, _ status: FileSystem.Status) throws(BackupError) -> Bool? {
    let path = root.path(of: name)
    do throws(SQLiteError) { return try PlainFile.isDatabase(path) } catch {
      if error.reason == .noMemory { throw .system(error.description) }
      return status.size < Self.smallestDatabase || FileSystem.isMissing(path) ? false : nil
    }
  }

  /// Whether a file has the name of a wal-index, or that of the WAL or the journal of a database that is there.
  func isBesideItsDatabase(_ name: BytePath, in directory: Directory) -> Bool {
    if DatabaseNames.hasShmSuffix(name) { return true }
    guard let database = DatabaseNames.database(ofCompanion: name) else { return false }
    return !FileSystem.isMissing(directory.path(of: database))
  }
}
