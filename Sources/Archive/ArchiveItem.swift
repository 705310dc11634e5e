import Delta
import SQLiteSnapshot
import System
import Zip

/// One entry of an archive before it is written: where its bytes come from, and what the manifest says of it.
struct ArchiveItem {
  /// Where an entry's bytes come from.
  enum Source {
    case snapshot(Snapshot)
    /// What is left of a database whose snapshot was released.
    case rest(SpooledRest, Manifest.Database)
    case file(PlainFile)
    case copy(PlainCopy)
    case text([UInt8])
    /// What a listing does not read: of a database it has no snapshot.
    case unread
  }

  let entry: ZipEntry
  /// Of the file that it is read from, as it was before it was opened; nil for an entry of our own making.
  let status: FileSystem.Status?
  private var source: Source
  /// The one that it was opened in: SQLite may look by a path through it for as long as it has it open.
  private let directory: Directory?
  /// What else the manifest is to say of it.
  let note: String?

  init(
    _ entry: ZipEntry, _ source: Source, in directory: Directory? = nil, status: FileSystem.Status? = nil,
    note: String? = nil
  ) {
    self.entry = entry
    self.directory = directory
    self.status = status
    self.source = source
    self.note = note
  }

  /// The archive's last entry.
  init(manifest: Manifest, modified: Int64) {
    self.init(name: Manifest.entryName, bytes: manifest.encoded(), modified: modified)
  }

  /// An entry of our own making.
  ///
  /// - Parameter modified: seconds since 1970.
  init(name: String, bytes: [UInt8], modified: Int64) {
    self.init(
      ZipEntry(name: name, modified: modified, permissions: 0o644, size: UInt64(bytes.count)), .text(bytes))
  }

  /// Whether it is a database whose snapshot is still held, or that is listed.
  var isDatabase: Bool {
    switch source {
    case .snapshot, .unread: true
    case .rest, .file, .copy, .text: false
    }
  }

  /// Whether it is a database that is held in the way of its application's checkpoints.
  var isPinned: Bool {
    guard case .snapshot(let snapshot) = source else { return false }
    return snapshot.method == .pinned
  }

  /// SQLite's name of the journal mode of a database that has a snapshot.
  var journalMode: String? {
    switch source {
    case .snapshot(let snapshot): snapshot.journalMode
    case .rest, .file, .copy, .text, .unread: nil
    }
  }

  /// Releases the snapshot of a database. What is read from now on is what was copied of it.
  mutating func release(for rest: SpooledRest) {
    guard let database = databaseEntry else { return }
    source = .rest(rest, database)
  }

  /// Closes what it was read from.
  package mutating func release() { source = .text([]) }

  /// By how many bytes the WAL of a pinned database has grown.
  ///
  /// - Throws: `walGrewTooMuch` if that is more than `limit`; `reading` if the pin does not hold any more.
  func walGrowth(limit: UInt64) throws(BackupError) -> UInt64 {
    guard case .snapshot(let snapshot) = source else { return 0 }
    let growth: UInt64
    do throws(SQLiteError) {
      try snapshot.checkHold()
      growth = try snapshot.walGrowth()
    } catch {
      throw .reading(path: entry.name, error)
    }
    guard growth <= limit else { throw .walGrewTooMuch(path: entry.name, limit: limit) }
    return growth
  }

  /// How much room the file system of a pinned database's WAL has; nil where that is not known.
  var walSpace: FileSystemSpace? {
    guard case .snapshot(let snapshot) = source else { return nil }
    return snapshot.walSpace()
  }

  /// Whether it is a pinned database that is being checkpointed, as far as can be told.
  var isBeingCheckpointed: Bool {
    guard case .snapshot(let snapshot) = source else { return false }
    return (try? snapshot.isBeingCheckpointed()) ?? false
  }

  /// Whether it is a pinned database whose WAL would be left with rows in it that no process has open; false where that
  /// cannot be found out.
  var leavesWAL: Bool {
    guard case .snapshot(let snapshot) = source else { return false }
    return snapshot.leavesWAL() ?? false
  }

  /// What SQLite keeps of a database that changes whenever its content does; nothing for what is no database.
  func snapshotState() throws(BackupError) -> [UInt8] {
    guard case .snapshot(let snapshot) = source else { return [] }
    do throws(SQLiteError) { return try snapshot.state() } catch { throw .reading(path: entry.name, error) }
  }

  /// The `count` bytes from `offset` on.
  func read(_ count: Int, at offset: UInt64) throws(BackupError) -> [UInt8] {
    do throws(SQLiteError) {
      switch source {
      case .snapshot(let snapshot): return try snapshot.read(count, at: offset)
      case .rest(let rest, _): return try rest.read(count, at: offset)
      case .file(let file): return try file.read(count, at: offset)
      case .copy(let copy): return try copy.read(count, at: offset)
      case .text(let text): return Array(text[Int(offset)..<Int(offset) + count])
      case .unread: fatalError("a listed database has no snapshot to read")
      }
    } catch {
      if case .file = source, error.reason == .changed { throw .changed(path: entry.name) }
      throw .reading(path: entry.name, error)
    }
  }

  /// A unit of which histories keep digests, or what is left for it.
  ///
  /// - Parameter offset: a multiple of the size of a unit, in bytes.
  func unit(at offset: UInt64) throws(BackupError) -> [UInt8] {
    // A snapshot is read by whole pages, which may be larger.
    let pageSize = UInt64(DatabaseHeader.maximumPageSize)
    let start = offset - offset % pageSize
    let pages = try read(Int(min(pageSize, entry.size - start)), at: start)
    return Array(pages.dropFirst(Int(offset - start)).prefix(UnitHash.unitSize))
  }

  /// Looks whether what was read to its end is of one moment, as far as can be told: a pin must have held, and what was
  /// taken for a plain file must be no database by now.
  ///
  /// - Throws: `reading`.
  func checkRead() throws(BackupError) {
    do throws(SQLiteError) {
      switch source {
      case .snapshot(let snapshot): try snapshot.checkHold()
      case .file(let file): if try file.isDatabase() { throw SQLiteError.becameDatabase }
      case .rest, .copy, .text, .unread: break
      }
    } catch {
      throw .reading(path: entry.name, error)
    }
  }

  /// Whether it is a plain file that was written to since it was looked at, as far as its times tell.
  var wasWrittenTo: Bool {
    guard case .file = source else { return false }
    return hasChanged
  }

  /// Whether a file was written to since it was looked at, as far as its times tell.
  var hasChanged: Bool {
    guard let directory, let status else { return false }
    // What has taken its name is another file, and this one as it was.
    guard let now = try? FileSystem.status(directory.path(of: BytePath(entry.name).name)),
      now.identity == status.identity
    else { return false }
    return now.changedAt != status.changedAt
  }

  private var databaseEntry: Manifest.Database? {
    switch source {
    case .snapshot(let snapshot):
      Manifest.Database(
        journalMode: snapshot.journalMode, pageSize: snapshot.pageSize, pageCount: snapshot.pageCount,
        method: snapshot.method.rawValue, takenAt: Timestamp(nanoseconds: snapshot.takenAt).milliseconds)
    case .rest(_, let database): database
    case .file, .copy, .text, .unread: nil
    }
  }

  /// The manifest's line for it.
  func manifestEntry(sha256: String, crc32: UInt32) -> Manifest.Entry {
    let database = databaseEntry
    return Manifest.Entry(
      path: entry.name, kind: database == nil ? .file : .database, size: entry.size, sha256: sha256,
      crc32: crc32.hexadecimal,
      modified: Timestamp(seconds: entry.modified).seconds,
      database: database, note: note)
  }
}
