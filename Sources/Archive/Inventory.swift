import SQLiteSnapshot
import System
import Zip

/// All that goes into one archive, held fast: every snapshot taken, every file open.
struct Inventory {
  /// In the archive's order, without the manifest.
  private(set) var items: [Item] = []
  private(set) var skipped: [Skipped]
  /// From the earliest snapshot to the latest.
  private(set) var skewNanoseconds: Int64 = 0

  /// Takes everything there is.
  ///
  /// The databases are opened first; then those that must be copied are copied, which takes time, those that SQLite does
  /// not know first; then those that can be pinned are pinned, which takes none; then each copy is asked whether it is
  /// still the state of now. So the instants lie as close together as the writers let them.
  ///
  /// - Parameters:
  ///   - now: nanoseconds since 1970.
  ///   - needsContent: whether the items will be read; no database is copied else.
  init(
    of directory: DataDirectory, _ options: ArchiveOptions, now: Int64, needsContent: Bool = true
  ) throws(BackupError) {
    skipped = directory.skipped
    var databases: [Opened] = []
    var foreign: [DataDirectory.Candidate] = []
    try open(directory.databases, options.snapshots, &databases, &foreign)
    // Those that are written to are waited for together, as locks are.
    let deadline = ContinuousClock.now + options.snapshots.busyTimeout
    try addForeign(foreign) { (candidate) throws(SQLiteError) in
      let (copy, status) = try PlainFiles.copy(candidate, options.snapshots, until: deadline)
      return (.copy(copy), status)
    }

    var snapshots: [(candidate: DataDirectory.Candidate, snapshot: Snapshot)] = []
    let isPinned = { (opened: Opened) in opened.database.journalMode == "wal" }
    for (candidate, database) in databases.filter({ !isPinned($0) }) + databases.filter(isPinned) {
      guard !Task.isCancelled else { throw .cancelled }
      do throws(SQLiteError) {
        snapshots.append((candidate, try database.snapshot(needsContent: needsContent)))
      } catch {
        try skip(candidate, error)
      }
    }
    var instants: [Int64] = []
    for (candidate, snapshot) in snapshots {
      do throws(SQLiteError) {
        try snapshot.confirm()
        items.append(
          Item(
            candidate, candidate.status, size: snapshot.size, .snapshot(snapshot),
            note: try Self.note(on: snapshot, candidate)))
        instants.append(snapshot.takenAt)
      } catch {
        try skip(candidate, error)
      }
    }
    skewNanoseconds = (instants.max() ?? 0) - (instants.min() ?? 0)

    try addFiles(of: directory)
    finish(directory, options)
    items.append(
      Item(
        name: "VERSION", bytes: Array((options.appVersion + "\n").utf8), modified: now / 1_000_000_000))
  }

  /// Finds what would be taken by names and first bytes. No database is opened, so none is skipped for what SQLite says.
  init(unopened directory: DataDirectory, _ options: ArchiveOptions) throws(BackupError) {
    skipped = directory.skipped
    var foreign: [DataDirectory.Candidate] = []
    for candidate in directory.databases {
      if candidate.mayBeDatabase {
        items.append(Item(candidate, candidate.status, size: candidate.status.size, .unread, note: nil))
      } else {
        foreign.append(candidate)
      }
    }
    try addForeign(foreign) { (candidate) throws(SQLiteError) in
      let (file, status) = try PlainFiles.open(candidate)
      return (.file(file), status)
    }
    try addFiles(of: directory)
    finish(directory, options)
  }

  private mutating func addFiles(of directory: DataDirectory) throws(BackupError) {
    for candidate in directory.files {
      guard !Task.isCancelled else { throw .cancelled }
      do throws(SQLiteError) {
        let (file, status) = try PlainFiles.open(candidate)
        // It was looked into a while ago.
        if try file.isDatabase() { throw SQLiteError.becameDatabase }
        items.append(Item(candidate, status, size: status.size, .file(file), note: nil))
      } catch {
        try skip(candidate, error)
      }
    }
  }

  private mutating func finish(_ directory: DataDirectory, _ options: ArchiveOptions) {
    refuseUnsafeNames()
    if !options.allowsEmpty, !directory.isSelection { requireDatabase(directory) }
    items.sort(by: Self.precedes)
  }

  /// Names the data directory itself when the archive would have no database, unless one of its databases is named already.
  private mutating func requireDatabase(_ directory: DataDirectory) {
    let candidates = Set(directory.databases.map(\.name.bytes))
    let isNamed =
      directory.skipsDatabase
      || skipped.contains { skipped in
        candidates.contains(skipped.path.bytes) || DatabaseNames.isCustomary(skipped.path.bytes)
          // A file that became a database meanwhile.
          || skipped.reason == SQLiteError.Reason.changed.rawValue
      }
    guard !isNamed, !items.contains(where: \.isDatabase) else { return }
    skipped.append(
      Skipped(
        path: ".", reason: SkipReason.noDatabase.rawValue,
        detail:
          "no SQLite database was found: the directory may be the wrong one, or its file system not mounted"))
  }

  private typealias Opened = (candidate: DataDirectory.Candidate, database: Database)

  /// Opens databases. All that are locked are waited for together, so that many hold the backup up no longer than one
  /// does; none of them is pinned meanwhile.
  private mutating func open(
    _ candidates: [DataDirectory.Candidate], _ options: Snapshot.Options, _ databases: inout [Opened],
    _ foreign: inout [DataDirectory.Candidate]
  ) throws(BackupError) {
    var pending = candidates
    var deadline: ContinuousClock.Instant?
    while !pending.isEmpty {
      let isLastTry = deadline.map { $0 <= .now } ?? false
      var locked: [DataDirectory.Candidate] = []
      for candidate in pending {
        guard !Task.isCancelled else { throw .cancelled }
        if let companion = Self.irregularCompanion(candidate) {
          skip(
            candidate, .notARegularFile, "its \(companion) is no regular file, and to open it might never end"
          )
          continue
        }
        // SQLite takes a file of one byte for an empty one, and would lose the byte.
        guard candidate.status.size != 1 else {
          foreign.append(candidate)
          continue
        }
        do throws(SQLiteError) {
          databases.append((candidate, try Database(path: candidate.path, options)))
        } catch {
          if error.reason == .locked || error.reason == .unseenWriter, !isLastTry {
            locked.append(candidate)
          } else if error.reason == .notADatabase {
            foreign.append(candidate)
          } else {
            try skip(candidate, error)
          }
        }
      }
      pending = locked
      deadline = deadline ?? .now + options.busyTimeout
      if !pending.isEmpty { FileSystem.pause() }
    }
  }

  /// Takes the files that have a database's name and are none to SQLite, but for those that have a log.
  private mutating func addForeign(
    _ candidates: [DataDirectory.Candidate],
    _ take: (DataDirectory.Candidate) throws(SQLiteError) -> (Item.Source, FileSystem.Status)
  ) throws(BackupError) {
    for candidate in candidates {
      do throws(SQLiteError) {
        if let log = PlainFiles.log(of: candidate) {
          skipForeign(candidate, log)
          continue
        }
        let (source, status) = try take(candidate)
        // Its engine may have begun a transaction meanwhile.
        if let log = PlainFiles.log(of: candidate) {
          skipForeign(candidate, log)
          continue
        }
        items.append(
          Item(
            candidate, status, size: status.size, source,
            note: "not an SQLite database: taken as a plain file"))
      } catch {
        try skip(candidate, error)
      }
      guard !Task.isCancelled else { throw .cancelled }
    }
  }

  private mutating func skipForeign(_ candidate: DataDirectory.Candidate, _ log: String) {
    skip(
      candidate, .notADatabase,
      "it is no SQLite database and has \(log) beside it: it may be encrypted or another engine's, and a plain copy "
        + "may be torn; exclude it, and back it up with its application")
  }

  /// Databases directly in the directory come first, whatever they turned out to be; within a group, by name.
  private static func precedes(_ first: Item, _ second: Item) -> Bool {
    let isFirst = { (item: Item) in
      let name = item.entry.name.bytes
      return !name.contains(UInt8(ascii: "/")) && (item.isDatabase || DatabaseNames.isCustomary(name))
    }
    guard isFirst(first) == isFirst(second) else { return isFirst(first) }
    return first.entry.name.bytes.lexicographicallyPrecedes(second.entry.name.bytes)
  }

  /// Leaves out what has a name that an archive must not have, or that `restore` refuses.
  private mutating func refuseUnsafeNames() {
    items.removeAll { item in
      guard let fault = EntryNames.fault(item) else { return false }
      skipped.append(Skipped(path: item.entry.name, reason: SkipReason.unsafeName.rawValue, detail: fault))
      return true
    }
  }

  /// SQLite opens what it finds by these names, and a pipe would keep it waiting.
  private static func irregularCompanion(_ candidate: DataDirectory.Candidate) -> String? {
    ["-wal", "-shm", "-journal"].first { suffix in
      guard let status = try? FileSystem.status(candidate.path + suffix) else { return false }
      return status.kind != .regular
    }
  }

  /// What is to be known of a database's content that neither SQLite nor this program can judge.
  private static func note(
    on snapshot: Snapshot, _ candidate: DataDirectory.Candidate
  ) throws(SQLiteError) -> String? {
    var notes: [String] = []
    if !FileSystem.isMissing(candidate.path + "-tshm") {
      notes.append(
        "a -tshm beside it has the locks of Turso's multiprocess_wal, which SQLite does not see: the last commits may be missing"
      )
    }
    let count = try snapshot.reservedByteCount()
    if count > 0 {
      notes.append(
        "\(count) bytes at the end of each page are reserved, for checksums or an encryption that SQLite does not know"
      )
    }
    return notes.isEmpty ? nil : notes.joined(separator: "; ")
  }

  private mutating func skip(_ candidate: DataDirectory.Candidate, _ reason: SkipReason, _ detail: String) {
    skipped.append(Skipped(path: candidate.name, reason: reason.rawValue, detail: detail))
  }

  /// - Throws: `system` when it is this process that lacks something, which no other file would get either.
  private mutating func skip(
    _ candidate: DataDirectory.Candidate, _ error: SQLiteError
  ) throws(BackupError) {
    var reason = error.reason
    if reason == .cannotOpen, FileSystem.isMissing(candidate.path) { reason = .missing }
    var detail = error.description
    switch reason {
    case .noMemory: throw .system(detail)
    case .locked: detail += "; another connection held its lock for longer than --busy-timeout"
    case .hotJournal:
      detail +=
        "; open it once with its own application, which settles it; with another program only when no application has it open"
    case .unseenWriter:
      detail +=
        "; serve it where its application opens it, with locks that both see: see docs/file-systems.md"
    case .permission: detail += "; run as the application's own user, who may write its -shm"
    case .changed where error == .keepsChanging: detail += "; exclude it, and back it up with its application"
    case .encryptedOrForeign: detail += "; exclude it, and back it up with its application"
    default: break
    }
    skipped.append(Skipped(path: candidate.name, reason: reason.rawValue, detail: detail))
  }
}

extension Item {
  /// An entry for something in the data directory.
  fileprivate init(
    _ candidate: DataDirectory.Candidate, _ status: FileSystem.Status, size: UInt64, _ source: Source,
    note: String?
  ) {
    var modified = status.modified
    if case .snapshot = source, let log = try? FileSystem.status(candidate.path + "-wal"), log.size > 0 {
      modified = max(modified, log.modified)
    }
    self.init(
      ZipEntry(
        name: candidate.name, modified: modified, permissions: status.permissions, size: size),
      source, in: candidate.directory, status: status, note: note)
  }
}
