import SQLiteSnapshot
import System
import Zip

/// What a backup of a data directory would take and skip now, found without a snapshot.
///
/// Every database is opened as a backup opens it, and closed at once: none is pinned, none is copied, and only a few are
/// open together. So it does not know what only a whole read finds out, such as a database that changes all the time.
package struct DirectoryOverview: Sendable {
  package struct Database: Sendable {
    /// In the archive.
    package let path: String
    /// Of its file, in bytes.
    package let size: UInt64
    /// SQLite's name for it.
    package let journalMode: String
    /// Of its `-wal` file, in bytes; 0 if there is none.
    package let walSize: UInt64

    package init(path: String, size: UInt64, journalMode: String, walSize: UInt64) {
      self.path = path
      self.size = size
      self.journalMode = journalMode
      self.walSize = walSize
    }
  }

  /// In the archive's order.
  package let databases: [Database]
  /// How many other files a backup would take, and their bytes.
  package let fileCount: Int
  package let fileBytes: UInt64
  /// What a backup would skip, with its reason.
  package let skipped: [Skipped]
  /// What an exclusion matched; a folder stands for all in it.
  package let excluded: [String]
  /// When it was begun: nanoseconds since 1970.
  package let takenAt: Int64

  package init(
    databases: [Database], fileCount: Int, fileBytes: UInt64, skipped: [Skipped], excluded: [String],
    takenAt: Int64
  ) {
    self.databases = databases
    self.fileCount = fileCount
    self.fileBytes = fileBytes
    self.skipped = skipped
    self.excluded = excluded
    self.takenAt = takenAt
  }

  /// Looks through a data directory; blocks for as long as its file system does, and while databases are locked up to the
  /// busy timeout.
  ///
  /// - Throws: `dataDirectory`, `tooManyFiles`, `system`.
  package init(of options: ArchiveOptions) throws(BackupError) {
    let directory = try DataDirectory(
      options.dataDirectory, includes: options.includes, excludes: options.excludes, selection: nil)
    let found = try Inventory.described(directory, options)
    databases = found.inventory.items.compactMap { item in
      guard let database = found.databases[BytePath(item.entry.name)] else { return nil }
      return Database(
        path: item.entry.name, size: item.entry.size, journalMode: database.journalMode,
        walSize: database.walSize)
    }
    let files = found.inventory.items.filter { found.databases[BytePath($0.entry.name)] == nil }
    fileCount = files.count
    fileBytes = files.reduce(0) { $0 + $1.entry.size }
    skipped = found.inventory.skipped
    excluded = directory.excluded.map(\.lossyString)
    takenAt = directory.inspectedAt
  }
}

extension Inventory {
  /// So many databases are open at once, of which each takes three descriptors: a backup that begins meanwhile needs the others.
  private static let describedTogether = 16

  /// Opens what would be taken, a few at a time, and closes it again.
  ///
  /// - Returns: the items, none of which can be read, and what SQLite says of the databases among them.
  fileprivate static func described(
    _ directory: DataDirectory, _ options: ArchiveOptions
  ) throws(BackupError) -> (
    inventory: Inventory, databases: [BytePath: (journalMode: String, walSize: UInt64)]
  ) {
    var inventory = Inventory(skipped: directory.skipped)
    var databases: [BytePath: (journalMode: String, walSize: UInt64)] = [:]
    var foreign: [Candidate] = []
    // One wait for all that are locked.
    let deadline = ContinuousClock.now + options.snapshots.busyTimeout
    let memory = MemoryBudget(byteCount: 0)
    for start in stride(from: 0, to: directory.databases.count, by: describedTogether) {
      let candidates = directory.databases[start..<min(start + describedTogether, directory.databases.count)]
      var snapshots = options.snapshots
      snapshots.busyTimeout = max(.zero, ContinuousClock.now.duration(to: deadline))
      var opened: [OpenDatabase] = []
      try inventory.open(Array(candidates), snapshots, memory, &opened, &foreign)
      for (candidate, database) in opened {
        let wal = try? FileSystem.status(candidate.location + CompanionFile.wal)
        databases[candidate.path] = (database.journalMode, wal?.size ?? 0)
        inventory.items.append(
          ArchiveItem(candidate, candidate.status, size: candidate.status.size, .unread, note: nil))
      }
    }
    try inventory.addForeign(foreign) { (candidate) throws(SQLiteError) in
      (.text([]), try PlainFiles.open(candidate).status)
    }
    for candidate in directory.files {
      do throws(SQLiteError) {
        let (file, status) = try PlainFiles.open(candidate)
        // It was looked into a while ago.
        if try file.isDatabase() { throw SQLiteError.becameDatabase }
        inventory.items.append(ArchiveItem(candidate, status, size: status.size, .text([]), note: nil))
      } catch {
        try inventory.skip(candidate, error)
      }
    }
    inventory.finish(directory, options)
    return (inventory, databases)
  }
}
