import SQLiteSnapshot
import System

/// How files are opened, and copied, that are no databases to SQLite.
enum PlainFiles {
  /// So often another file may take a name just while it is opened: no program replaces one as often as that.
  private static let openAttempts = 3
  /// So often a file is read that is written to meanwhile.
  private static let copyAttempts = 4

  /// Opens a file. Its size is its status's, since SQLite's VFS takes a file of one byte for empty: what the name leads
  /// to before and after is one file, and so the one that was opened.
  ///
  /// - Throws: `changed` if another file takes the name time and again; `hasNoSize`; what opening says.
  static func open(
    _ candidate: Candidate
  ) throws(SQLiteError) -> (file: PlainFile, status: FileSystem.Status) {
    for _ in 0..<openAttempts {
      let before = try? FileSystem.status(candidate.location)
      let file = try PlainFile(path: candidate.location)
      if let before, before.kind == .regular, let after = try? FileSystem.status(candidate.location),
        before.identity == after.identity
      {
        // Those of /proc, and of some FUSE file systems, have no size.
        if before.size == 0, try !file.isEmpty() {
          if let now = try? FileSystem.status(candidate.location), now.size > 0 { continue }
          throw .hasNoSize
        }
        // Of before the first byte is read: what is written meanwhile moves the times.
        return (file, before)
      }
    }
    throw .replaced
  }

  /// Copies a file that has a database's name and is none to SQLite: encrypted, or another engine's, whose locks this
  /// process does not know. A copy counts if nothing was written to the file while it was made, as far as its status tells:
  /// writes within one tick of the clock that its times are taken from look alike, so the end of the tick is waited for.
  ///
  /// - Parameters:
  ///   - memory: what the copy may take; if it does not fit, it goes to the spool directory.
  ///   - deadline: until when it is waited for that the file holds still.
  /// - Throws: `changed` if it does not; what reading, and writing to the spool, say.
  static func copy(
    _ candidate: Candidate, _ options: Snapshot.Options, _ memory: MemoryBudget,
    until deadline: ContinuousClock.Instant
  ) throws(SQLiteError) -> (PlainCopy, FileSystem.Status) {
    let start = ContinuousClock.now
    var attempts = 0
    while attempts < copyAttempts, !Task.isCancelled {
      let (file, status) = try open(candidate)
      if status.changedAt.isNear(FileSystem.now()) {
        guard .now < max(deadline, start + .nanoseconds(2 * status.changedAt.resolution)) else { break }
        FileSystem.pause()
        continue
      }
      attempts += 1
      do throws(SQLiteError) {
        let copy = try PlainCopy(of: file, byteCount: status.size, options, memory) {
          guard let now = try? FileSystem.status(candidate.location) else { return false }
          return now.identity == status.identity && now.changedAt == status.changedAt
            && now.size == status.size
        }
        if let copy { return (copy, status) }
      } catch {
        guard error.reason == .changed else { throw error }
      }
    }
    throw .keepsChanging
  }

  /// The log or journal beside a file that has a database's name and is none to SQLite: a plain copy of the file alone would
  /// be torn. Its name; nil if there is none.
  static func log(of candidate: Candidate) -> BytePath? {
    DatabaseNames.logs(of: candidate.name).first { name in
      ((try? FileSystem.status(candidate.directory.path(of: name)))?.size ?? 0) > 0
    }
  }
}
