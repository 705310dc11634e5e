internal import SQLiteSnapshot
internal import Zip

/// All that goes into one archive, held fast: every snapshot taken, every file open.
struct Inventory {
  /// In the archive's order, without the manifest.
  private(set) var items: [Item] = []
  private(set) var skipped: [Skipped]
  /// From the earliest snapshot to the latest.
  private(set) var skewNanoseconds: Int64 = 0

  /// Takes everything there is.
  ///
  /// The databases are opened first; then those that must be copied are copied, which takes time; then those
  /// that can be pinned are pinned, which takes none; then each copy is asked whether it is still the state of
  /// now. So the instants lie as close together as the writers let them.
  ///
  /// - Parameters:
  ///   - now: nanoseconds since 1970.
  ///   - needsContent: whether the items will be read; no database is copied else.
  init(
    of directory: DataDirectory, _ options: ArchiveOptions, now: Int64, needsContent: Bool = true
  ) throws(BackupError) {
    skipped = directory.skipped
    var files = directory.files.map { (candidate: $0, note: String?.none) }
    var databases: [Opened] = []
    try open(directory.databases, options.snapshots, &databases, &files)

    var snapshots: [Snapshot] = []
    let isPinned = { (opened: Opened) in opened.database.journalMode == "wal" }
    for (candidate, database) in databases.filter({ !isPinned($0) }) + databases.filter(isPinned) {
      guard !Task.isCancelled else { throw .cancelled }
      do throws(SQLiteError) {
        let snapshot = try database.snapshot(needsContent: needsContent)
        snapshots.append(snapshot)
        items.append(
          Item(
            candidate, candidate.status, size: snapshot.size, .snapshot(snapshot),
            note: try Self.note(on: snapshot, candidate)))
      } catch {
        try skip(candidate, error)
      }
    }
    for snapshot in snapshots { snapshot.confirm() }
    let instants = snapshots.map(\.takenAt)
    skewNanoseconds = (instants.max() ?? 0) - (instants.min() ?? 0)

    try add(files)
    finish(directory, options)
    items.append(
      Item(
        name: "VERSION", bytes: Array((options.appVersion + "\n").utf8), modified: now / 1_000_000_000))
  }

  /// Finds what would be taken by names and first bytes. No database is opened, so none is skipped for what SQLite says.
  init(unopened directory: DataDirectory, _ options: ArchiveOptions) throws(BackupError) {
    skipped = directory.skipped
    var files = directory.files.map { (candidate: $0, note: String?.none) }
    for candidate in directory.databases {
      if candidate.mayBeDatabase {
        items.append(Item(candidate, candidate.status, size: candidate.status.size, .unread, note: nil))
      } else {
        files.append((candidate, Self.plainNote))
      }
    }
    try add(files)
    finish(directory, options)
  }

  private mutating func add(
    _ files: [(candidate: DataDirectory.Candidate, note: String?)]
  ) throws(BackupError) {
    for (candidate, note) in files {
      guard !Task.isCancelled else { throw .cancelled }
      do throws(SQLiteError) {
        if let log = Self.foreignLog(of: candidate) {
          skip(
            candidate, .notADatabase,
            "it is no SQLite database and has \(log) beside it: it may be encrypted or another engine's, and a plain copy "
              + "may be torn; exclude it, and back it up with its application")
          continue
        }
        let (file, status) = try Self.openPlain(candidate)
        // It was looked into a while ago.
        if note == nil, try file.isDatabase() { throw SQLiteError.becameDatabase }
        items.append(Item(candidate, status, size: status.size, .file(file), note: note))
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
    let isNamed = skipped.contains { skipped in
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
    _ files: inout [(candidate: DataDirectory.Candidate, note: String?)]
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
          files.append((candidate, Self.plainNote))
          continue
        }
        do throws(SQLiteError) {
          databases.append((candidate, try Database(path: candidate.path, options)))
        } catch {
          if error.reason == .locked || error.reason == .unseenWriter, !isLastTry {
            locked.append(candidate)
          } else if error.reason == .notADatabase {
            files.append((candidate, Self.plainNote))
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

  /// Databases directly in the directory come first, whatever they turned out to be; within a group, by name.
  private static func precedes(_ first: Item, _ second: Item) -> Bool {
    let isFirst = { (item: Item) in
      let name = item.entry.name.bytes
      return !name.contains(UInt8(ascii: "/")) && (item.isDatabase || DatabaseNames.isCustomary(name))
    }
    guard isFirst(first) == isFirst(second) else { return isFirst(first) }
    return first.entry.name.bytes.lexicographicallyPrecedes(second.entry.name.bytes)
  }

  /// A name that an archive must not have: readers elsewhere take parts of it for something else, or it is the archive's own.
  private mutating func refuseUnsafeNames() {
    items.removeAll { item in
      guard !ArchiveOptions.reservedNames.contains(item.entry.name) else {
        skipped.append(
          Skipped(
            path: item.entry.name, reason: SkipReason.unsafeName.rawValue,
            detail: "the archive has an entry of its own by this name; rename the file"))
        return true
      }
      do throws(ZipError) {
        try item.entry.checkName()
        return false
      } catch {
        skipped.append(
          Skipped(path: item.entry.name, reason: SkipReason.unsafeName.rawValue, detail: "\(error)"))
        return true
      }
    }
  }

  /// So often another file may take a name just while it is opened: no program replaces one as often as that.
  private static let openAttempts = 3

  /// Opens a plain file. Its size is its status's, since SQLite's VFS takes a file of one byte for empty: what the name leads
  /// to before and after is one file, and so the one that was opened.
  private static func openPlain(
    _ candidate: DataDirectory.Candidate
  ) throws(SQLiteError) -> (PlainFile, FileSystem.Status) {
    for _ in 0..<openAttempts {
      let before = try? FileSystem.status(candidate.path)
      let file = try PlainFile(path: candidate.path)
      if let before, before.kind == .regular, let after = try? FileSystem.status(candidate.path),
        before.identity == after.identity
      {
        // Of before the first byte is read: what is written meanwhile moves the times.
        return (file, before)
      }
    }
    throw .replaced
  }

  private static let plainNote = "not an SQLite database: taken as a plain file"

  /// The log or journal beside a file that is no SQLite database although its name is customary for one: a plain copy of the
  /// file alone would be torn. Its name; nil if there is none.
  static func foreignLog(of candidate: DataDirectory.Candidate) -> String? {
    guard DatabaseNames.isCustomary(candidate.name.bytes) else { return nil }
    return DatabaseNames.logs(of: candidate.baseName).first { name in
      ((try? FileSystem.status("\(candidate.directory.path)/\(name)"))?.size ?? 0) > 0
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
