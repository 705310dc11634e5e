package import System
import Zip

/// What a backup of a data directory would take and leave out, and the databases in it that no backup looks at.
package struct Listing: Encodable, Sendable {
  /// Something that a backup would take.
  package struct Entry: Encodable, Sendable {
    /// Its path in the archive.
    package let path: String
    /// Whether a backup takes it for a database.
    package let kind: Kind
    /// Of the snapshot or the file, in bytes.
    package let size: UInt64
    /// SQLite's name for it; nil if no snapshot was taken, or it is no database.
    package let journalMode: String?
    /// What else the manifest would say of it.
    package let note: String?

    /// What a backup takes it for.
    package enum Kind: String, Encodable, Sendable {
      case database
      case file
    }

    enum CodingKeys: String, CodingKey {
      case path, kind, size, note
      case journalMode = "journal_mode"
    }
  }

  /// In the archive's order, without `VERSION` and the manifest.
  package let entries: [Entry]
  /// What could not be taken, with its reason.
  package let skipped: [Skipped]
  /// What an exclusion matched; a folder stands for all in it.
  package let excluded: [String]
  /// What looks like a database and lies in a folder that is not included.
  package let elsewhere: StrayDatabases

  /// Looks through a data directory.
  ///
  /// - Parameters:
  ///   - memory: what copies may take.
  ///   - takesSnapshots: whether the snapshot of every database is taken, as for a backup, and released: pinned in
  ///     WAL mode, else copied. If not, no database is opened, and names and first bytes tell.
  /// - Throws: `dataDirectory`, `tooManyFiles`, `system`, `cancelled`.
  package init(
    _ options: ArchiveOptions, _ memory: MemoryBudget, takesSnapshots: Bool
  ) throws(BackupError) {
    let directory = try DataDirectory(
      options.dataDirectory, includes: options.includes, excludes: options.excludes, selection: nil)
    let inventory =
      takesSnapshots
      ? try Inventory(of: directory, options, memory, now: 0) : try Inventory(unopened: directory, options)
    entries = inventory.items.filter { $0.status != nil }.map { item in
      Entry(
        path: item.entry.name, kind: item.isDatabase ? .database : .file, size: item.entry.size,
        journalMode: item.journalMode, note: item.note)
    }
    skipped = inventory.skipped
    excluded = directory.excluded.map(\.lossyString)
    let paths =
      options.includes.map(\.path) + directory.excluded
      + (entries.map(\.path) + skipped.map(\.path)).map { BytePath($0) }
    elsewhere = try StrayDatabases(
      in: options.dataDirectory, except: Set(paths), Exclusion(options.excludes))
  }

  /// Whether nothing is skipped.
  package var isComplete: Bool { skipped.isEmpty }

  enum CodingKeys: String, CodingKey {
    case entries, skipped, excluded, elsewhere
  }
}
