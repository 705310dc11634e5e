import SQLiteSnapshot
import System
import Zip

/// All that goes into one archive, held fast: every snapshot taken, every file open.
struct Inventory {
  /// In the archive's order, without the manifest.
  var items: [ArchiveItem] = []
  var skipped: [Skipped]
  /// From the earliest snapshot to the latest.
  var skewNanoseconds: Int64 = 0

  /// Begins with what the listing has skipped.
  init(skipped: [Skipped]) { self.skipped = skipped }

  /// Takes everything there is.
  ///
  /// The databases are opened first; then those that must be copied are copied, which takes time, those that SQLite does
  /// not know first; then those that can be pinned are pinned, which takes none; then each copy is asked whether it is
  /// still the state of now. So the instants lie as close together as the writers let them.
  ///
  /// - Parameters:
  ///   - memory: what copies may take.
  ///   - now: nanoseconds since 1970.
  ///   - needsContent: whether the items will be read; nothing is copied else.
  init(
    of directory: DataDirectory, _ options: ArchiveOptions, _ memory: MemoryBudget, now: Int64,
    needsContent: Bool = true
  ) throws(BackupError) {
    skipped = directory.skipped
    var databases: [OpenDatabase] = []
    var foreign: [Candidate] = []
    try open(directory.databases, options.snapshots, memory, &databases, &foreign)
    // Those that are written to are waited for together, as locks are.
    let deadline = ContinuousClock.now + options.snapshots.busyTimeout
    try addForeign(foreign) { (candidate) throws(SQLiteError) in
      guard needsContent else { return (.unread, try PlainFiles.open(candidate).status) }
      let (copy, status) = try PlainFiles.copy(candidate, options.snapshots, memory, until: deadline)
      return (.copy(copy), status)
    }
    try addSnapshots(of: databases, needsContent: needsContent)
    try addFiles(of: directory)
    finish(directory, options)
    items.append(
      ArchiveItem(
        name: Manifest.versionEntryName, bytes: Array((options.appVersion + "\n").utf8),
        modified: now / 1_000_000_000))
  }

  /// Finds what would be taken by names and first bytes. No database is opened, so none is skipped for what SQLite says.
  init(unopened directory: DataDirectory, _ options: ArchiveOptions) throws(BackupError) {
    skipped = directory.skipped
    var foreign: [Candidate] = []
    for candidate in directory.databases {
      if candidate.mayBeDatabase {
        items.append(
          ArchiveItem(candidate, candidate.status, size: candidate.status.size, .unread, note: nil))
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
        items.append(ArchiveItem(candidate, status, size: status.size, .file(file), note: nil))
      } catch {
        try skip(candidate, error)
      }
    }
  }

  mutating func finish(_ directory: DataDirectory, _ options: ArchiveOptions) {
    refuseUnsafeNames()
    if !options.allowsEmpty, !directory.isSelection { requireDatabase(directory) }
    items.sort(by: Self.precedes)
  }

  /// Names the data directory itself when the archive would have no database, unless one of its databases is named already.
  private mutating func requireDatabase(_ directory: DataDirectory) {
    let candidates = Set(directory.databases.map(\.path))
    let isNamed =
      directory.skipsDatabase
      || skipped.contains { skipped in
        candidates.contains(BytePath(skipped.path)) || DatabaseNames.isCustomary(BytePath(skipped.path))
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

  /// Databases directly in the directory come first, whatever they turned out to be; within a group, by name.
  private static func precedes(_ first: ArchiveItem, _ second: ArchiveItem) -> Bool {
    let isFirst = { (item: ArchiveItem) in
      let path = BytePath(item.entry.name)
      return path.parent == nil && (item.isDatabase || DatabaseNames.isCustomary(path))
    }
    guard isFirst(first) == isFirst(second) else { return isFirst(first) }
    return BytePath(first.entry.name) < BytePath(second.entry.name)
  }

  /// Leaves out what has a name that an archive must not have, or that `restore` refuses.
  private mutating func refuseUnsafeNames() {
    items.removeAll { item in
      guard let fault = EntryNames.fault(item) else { return false }
      skipped.append(Skipped(path: item.entry.name, reason: SkipReason.unsafeName.rawValue, detail: fault))
      return true
    }
  }
}
