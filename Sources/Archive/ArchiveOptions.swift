package import SQLiteSnapshot
package import System
package import Zip

/// What goes into every archive of one data directory, and under which limits it is made.
package struct ArchiveOptions: Sendable {
  /// The archive's own entries, whose names nothing else in it can have.
  package static let reservedNames: Set<String> = [Manifest.versionEntryName, Manifest.entryName]

  /// The directory whose databases are taken.
  package var dataDirectory: String
  /// The application's name: the first part of the archive's file name.
  package var name: String
  /// The application's version: the content of the entry `VERSION`.
  package var appVersion: String
  /// What makes the archive, for the manifest: `sluice` and its version.
  package var generator: String
  /// Further files and directories, relative to the data directory.
  package var includes: [Include]
  /// Shell patterns of what is left out, matched against the path in the archive and its last name.
  package var excludes: [String]
  /// Whether an archive without any database is complete.
  package var allowsEmpty: Bool
  /// How the entries are compressed.
  package var compression: Compression
  /// Whether an archive that cannot be complete is refused instead of made.
  package var strict: Bool
  /// How snapshots are taken.
  package var snapshots: Snapshot.Options
  /// How long a snapshot may be held.
  package var maximumSnapshotAge: Duration
  /// By how many bytes the WAL of a pinned database may grow.
  package var maximumWALGrowth: UInt64
  /// What the file system of such a WAL must keep free.
  package var minimumFree: MinimumFree

  /// A file or directory that is taken beside the databases.
  package struct Include: Sendable {
    /// Relative to the data directory, without `..`.
    package var path: BytePath
    /// Whether it is named as skipped when it is not there.
    package var isRequired: Bool

    package init(path: BytePath, isRequired: Bool) {
      self.path = path
      self.isRequired = isRequired
    }
  }

  package init(
    dataDirectory: String, name: String, appVersion: String, generator: String, includes: [Include],
    excludes: [String] = [], allowsEmpty: Bool = false, compression: Compression, strict: Bool,
    snapshots: Snapshot.Options, maximumSnapshotAge: Duration,
    maximumWALGrowth: UInt64, minimumFree: MinimumFree
  ) {
    self.dataDirectory = dataDirectory
    self.name = name
    self.appVersion = appVersion
    self.generator = generator
    self.includes = includes
    self.excludes = excludes
    self.allowsEmpty = allowsEmpty
    self.compression = compression
    self.strict = strict
    self.snapshots = snapshots
    self.maximumSnapshotAge = maximumSnapshotAge
    self.maximumWALGrowth = maximumWALGrowth
    self.minimumFree = minimumFree
  }
}

extension ArchiveOptions {
  /// Checks that the data directory can be read now; blocks for as long as its file system does.
  ///
  /// - Throws: `dataDirectory`.
  package func checkDataDirectory() throws(BackupError) {
    do {
      _ = try FileSystem.names(in: dataDirectory, limit: 0)
    } catch {
      throw .dataDirectory(path: dataDirectory, detail: error.description)
    }
  }

  /// Whether there is a database that a backup would take or name; blocks for as long as the file system does.
  /// No database is opened as one.
  ///
  /// - Returns: true also if an archive without a database is allowed.
  /// - Throws: `dataDirectory`, `tooManyFiles`.
  package func findsDatabase() throws(BackupError) -> Bool {
    if allowsEmpty { return true }
    if try DataDirectory.hasDatabaseByName(dataDirectory, excludes: excludes) { return true }
    // The included folders may be large, and most directories have a database beside them.
    for includes in [[], includes] {
      let directory = try DataDirectory(
        dataDirectory, includes: includes, excludes: excludes, selection: nil)
      if directory.hasDatabase { return true }
    }
    return false
  }
}
