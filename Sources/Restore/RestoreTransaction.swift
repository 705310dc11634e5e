import Archive
import System

/// Puts staged files in place: all of them or none, whenever it is killed.
///
/// It goes in rounds over all files, and what a round has done is on the disk before the next begins:
///
///     keep     every file that is replaced, and its -wal, -shm and -journal, get the kept name as a second name
///     guard    under every name stands a link that leads nowhere, instead of the old file or of nothing
///     clear    the old -wal, -shm and -journal lose their first name
///     place    every new file takes the place of the link
///
/// Why the links: a new database beside an old -wal would be damaged by the first process that opens it, and so would an old one
/// without its -wal. No order of renames alone avoids both, and where nothing stands, SQLite makes an empty database and
/// deletes the -wal. So between the two there stands what no process can open: SQLite says SQLITE_CANTOPEN, whatever is or
/// is not beside it. And since all names are guarded before the first new file is placed, no state has both an old
/// database and a new one that could be opened, even if no run ever goes on.
///
/// Only the first two rounds need room on the disk, and they are the ones that are easily undone.
struct RestoreTransaction {
  let target: RestoreTarget
  let staging: Directory
  let stagingName: BytePath
  let journal: RestoreJournal
  /// Whether it goes on with what another began: names of ours may be there already.
  var isResumed = false

  /// Goes through all rounds, and back again if one of them fails.
  ///
  /// - Parameter check: is called once no process can open the old files any more, for a last look at those that have them open.
  /// - Throws: `rolledBack`, `unfinished`, and what `check` throws.
  func commit(check: () throws(RestoreError) -> Void = {}) throws(RestoreError) {
    do {
      do { try goForward(check) } catch let error as SystemError {
        throw RestoreError.rolledBack(detail: "the files could not be put in place: \(error)")
      } catch let error as FileError {
        throw RestoreError.rolledBack(
          detail: "\(error.path) could not be put in place: \(error.reason)")
      } catch let error as Obstacle {
        throw RestoreError.rolledBack(detail: "\(error.path) \(error.detail)")
      }
    } catch {
      try rollBack(because: error)
      throw error as? RestoreError ?? .rolledBack(detail: "\(error)")
    }
  }

  struct Obstacle: Error {
    let path: BytePath
    var detail = "has changed meanwhile"
  }

  /// A system call that failed for a file.
  private struct FileError: Error, CustomStringConvertible {
    let path: BytePath
    let reason: SystemError
    var description: String { "\(path): \(reason)" }
  }

  private func goForward(_ check: () throws(RestoreError) -> Void) throws {
    try target.make(journal.newFolders)
    try forEachUnsettled { item, _, folder in try keep(item, in: folder) }
    try forEachUnsettled { item, _, folder in try putGuard(item, in: folder) }
    try check()
    try forEachUnsettled { item, _, folder in try clear(item, in: folder) }
    try forEachUnsettled { item, index, folder in try place(item, index, in: folder) }
    try staging.remove(RestoreJournal.forward)
    // If this is lost with the power, the next run finds that all is done.
    try? staging.sync()
  }

  private func forEachUnsettled(_ body: (RestoredFile, Int, Directory) throws -> Void) throws {
    try forEach { item, index, folder in
      if try !isSettled(item, index, in: folder) { try body(item, index, folder) }
    }
  }

  /// Undoes all rounds. The way back is written down first, so that the next run goes back, too.
  ///
  /// - Throws: `unfinished`.
  func rollBack(because reason: any Error) throws(RestoreError) {
    do {
      if try staging.status(RestoreJournal.forward) != nil {
        try staging.rename(RestoreJournal.forward, to: staging, RestoreJournal.backward)
        try staging.sync()
      }
      // A full disk has room again.
      for index in journal.items.indices { try staging.remove(RestoreJournal.stagedName(index)) }
      try forEach(isWayBack: true) { item, _, folder in try guardNew(item, in: folder) }
      try forEach(isWayBack: true) { item, _, folder in try putBack(item, in: folder) }
      try forEach(isWayBack: true) { item, _, folder in try removeKept(item, in: folder) }
      target.removeFolders(journal.newFolders)
      try staging.remove(RestoreJournal.backward)
      try? staging.sync()
    } catch {
      // Which says that everything is as it was, once the way back is gone.
      let reason =
        switch reason {
        case RestoreError.rolledBack(let detail): detail
        case RestoreError.sharedName(let path): "two entries have the name \(path)"
        default: "\(reason)"
        }
      throw .unfinished(detail: "\(reason); and the way back failed: \(error)")
    }
  }

  /// Does something for every file, and makes it last.
  ///
  /// - Parameter isWayBack: whether a file is left out whose folder is not there, or in whose place another process has put
  ///   something else: nothing there is ours, and what was kept stays kept.
  private func forEach(
    isWayBack: Bool = false, _ body: (RestoredFile, Int, Directory) throws -> Void
  ) throws {
    // One at a time: an archive may have more folders than a process may have descriptors.
    var current: (path: BytePath, folder: Directory)?
    for (index, item) in journal.items.enumerated() {
      if item.folder != current?.path {
        try current?.folder.sync()
        current = try target.folder(item.folder).map { (item.folder, $0) }
      }
      guard let folder = current?.folder else {
        guard isWayBack else { throw Obstacle(path: item.folder) }
        continue
      }
      do { try body(item, index, folder) } catch let error as SystemError {
        throw FileError(path: item.path, reason: error)
      } catch is Obstacle where isWayBack {}
    }
    try current?.folder.sync()
  }
}
