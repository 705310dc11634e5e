import SQLiteSnapshot
import System
import Zip

/// The databases, and the files that have a database's name and are none to SQLite.
extension Inventory {
  typealias OpenDatabase = (candidate: Candidate, database: Database)

  /// Opens databases. All that are locked are waited for together, so that many hold the backup up no longer than one
  /// does; none of them is pinned meanwhile.
  mutating func open(
    _ candidates: [Candidate], _ options: Snapshot.Options, _ memory: MemoryBudget,
    _ databases: inout [OpenDatabase], _ foreign: inout [Candidate]
  ) throws(BackupError) {
    var pending = candidates
    var deadline: ContinuousClock.Instant?
    while !pending.isEmpty {
      let isLastTry = deadline.map { $0 <= .now } ?? false
      var locked: [Candidate] = []
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
          databases.append((candidate, try Database(path: candidate.location, options, memory)))
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
  mutating func addForeign(
    _ candidates: [Candidate],
    _ take: (Candidate) throws(SQLiteError) -> (ArchiveItem.Source, FileSystem.Status)
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
          ArchiveItem(
            candidate, status, size: status.size, source,
            note: "not an SQLite database: taken as a plain file"))
      } catch {
        try skip(candidate, error)
      }
      guard !Task.isCancelled else { throw .cancelled }
    }
  }

  private mutating func skipForeign(_ candidate: Candidate, _ log: BytePath) {
    skip(
      candidate, .notADatabase,
      "it is no SQLite database and has \(log.lossyString) beside it: it may be encrypted or another engine's, and a plain copy "
        + "may be torn; exclude it, and back it up with its application")
  }

  /// Takes the snapshots: copies first, then pins, as one moment as far as that goes. What takes long to copy
  /// is read ahead before the first of the copies is made, so that they lie closer together.
  mutating func addSnapshots(of databases: [OpenDatabase], needsContent: Bool) throws(BackupError) {
    var snapshots: [(candidate: Candidate, snapshot: Snapshot)] = []
    let team = ThreadTeam(named: "copy")
    let isPinned = { (opened: OpenDatabase) in opened.database.journalMode == "wal" }
    var copied = databases.filter { !isPinned($0) }
    if needsContent { try readAhead(&copied, team) }
    for (candidate, database) in copied + databases.filter(isPinned) {
      guard !Task.isCancelled else { throw .cancelled }
      do throws(SQLiteError) {
        snapshots.append((candidate, try database.snapshot(needsContent: needsContent, team)))
      } catch {
        try skip(candidate, error)
      }
    }
    var instants: [Int64] = []
    for (candidate, snapshot) in snapshots {
      do throws(SQLiteError) {
        try snapshot.confirm()
        items.append(
          ArchiveItem(
            candidate, candidate.status, size: snapshot.size, .snapshot(snapshot),
            note: try Self.note(on: snapshot, candidate)))
        instants.append(snapshot.takenAt)
      } catch {
        try skip(candidate, error)
      }
    }
    skewNanoseconds = (instants.max() ?? 0) - (instants.min() ?? 0)
  }

  /// - Parameter databases: those that cannot be read are skipped, and removed from it.
  private mutating func readAhead(_ databases: inout [OpenDatabase], _ team: ThreadTeam) throws(BackupError) {
    var read: [OpenDatabase] = []
    for opened in databases {
      guard !Task.isCancelled else { throw .cancelled }
      do throws(SQLiteError) {
        try opened.database.readAhead(team)
        read.append(opened)
      } catch {
        try skip(opened.candidate, error)
      }
    }
    databases = read
  }

  /// SQLite opens what it finds by these names, and a pipe would keep it waiting.
  private static func irregularCompanion(_ candidate: Candidate) -> BytePath? {
    CompanionFile.suffixes.first { suffix in
      guard let status = try? FileSystem.status(candidate.location + suffix) else { return false }
      return status.kind != .regular
    }
  }

  /// What is to be known of a database's content that neither SQLite nor this program can judge.
  private static func note(
    on snapshot: Snapshot, _ candidate: Candidate
  ) throws(SQLiteError) -> String? {
    var notes: [String] = []
    if !FileSystem.isMissing(candidate.location + "-tshm") {
      notes.append(
        "a -tshm beside it has the locks of Turso's multiprocess_wal, which SQLite does not see: the last commits may be missing"
      )
    }
    let count = try snapshot.reservedByteCount()
    if count > 0 {
      notes.append(
        "each page has \(counted(count, "reserved byte")) at its end, for checksums or an encryption that SQLite does not know"
      )
    }
    return notes.isEmpty ? nil : notes.joined(separator: "; ")
  }
}

extension ArchiveItem {
  /// An entry for something in the data directory.
  init(
    _ candidate: Candidate, _ status: FileSystem.Status, size: UInt64, _ source: Source,
    note: String?
  ) {
    var modified = status.modified
    if case .snapshot = source, let wal = try? FileSystem.status(candidate.location + CompanionFile.wal),
      wal.size > 0
    {
      modified = max(modified, wal.modified)
    }
    self.init(
      ZipEntry(
        name: candidate.path.lossyString, modified: modified, permissions: status.permissions, size: size),
      source, in: candidate.directory, status: status, note: note)
  }
}
