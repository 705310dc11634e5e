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
  let stagingName: String
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
          detail: "\(printable(error.path)) could not be put in place: \(error.reason)")
      } catch let error as Obstacle {
        throw RestoreError.rolledBack(detail: "\(error.path) \(error.detail)")
      }
    } catch {
      try rollBack(because: error)
      throw error as? RestoreError ?? .rolledBack(detail: "\(error)")
    }
  }

  private struct Obstacle: Error {
    let path: String
    var detail = "has changed meanwhile"
  }

  /// A system call that failed for a file.
  private struct FileError: Error, CustomStringConvertible {
    let path: String
    let reason: SystemError
    var description: String { "\(path): \(reason)" }
  }

  private func goForward(_ check: () throws(RestoreError) -> Void) throws {
    try target.make(journal.newFolders)
    try forEach { item, _, folder in try keep(item, in: folder) }
    try forEach { item, _, folder in try putGuard(item, in: folder) }
    try check()
    try forEach { item, _, folder in try clear(item, in: folder) }
    try forEach { item, index, folder in try place(item, index, in: folder) }
    try staging.remove(RestoreJournal.forward)
    // If this is lost with the power, the next run finds that all is done.
    try? staging.sync()
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
      for index in journal.items.indices { try staging.remove("\(index)") }
      try forEach(isWayBack: true) { item, _, folder in try takeAway(item, in: folder) }
      try forEach(isWayBack: true) { item, _, folder in try giveBack(item, in: folder) }
      try forEach(isWayBack: true) { item, _, folder in try forget(item, in: folder) }
      target.removeFolders(journal.newFolders)
      try staging.remove(RestoreJournal.backward)
      try? staging.sync()
    } catch {
      // Which says that everything is as it was, once the way back is gone.
      let reason =
        switch reason {
        case RestoreError.rolledBack(let detail): detail
        case RestoreError.sharedName(let path): "two entries have the name \(printable(path))"
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
    isWayBack: Bool = false, _ body: (RestoreJournal.Item, Int, Directory) throws -> Void
  ) throws {
    // One at a time: an archive may have more folders than a process may have descriptors.
    var current: (path: String, folder: Directory)?
    for (index, item) in journal.items.enumerated() {
      if item.folder.bytes != current?.path.bytes {
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

  // MARK: what stands under a name

  private enum Occupant {
    case nothing
    case guarded
    case new
    case old(inode: UInt64)
  }

  private var guardText: String { "\(stagingName)/\(RestoreJournal.forward)/a-restore-is-under-way" }
  private static let guardName = "guard"

  private func occupant(_ item: RestoreJournal.Item, in folder: Directory) throws -> Occupant {
    guard let status = try folder.status(item.name) else { return .nothing }
    switch status.kind {
    case .regular:
      return status.identity.inode == item.inode ? .new : .old(inode: status.identity.inode)
    case .symbolicLink where folder.linkText(item.name) == guardText: return .guarded
    default: throw Obstacle(path: item.path)
    }
  }

  private func inode(_ name: String, in folder: Directory) throws -> UInt64? {
    try folder.status(name)?.identity.inode
  }

  // MARK: the rounds

  /// While the old file stands under its name, the kept names are mere second names, and may be made again.
  private func keep(_ item: RestoreJournal.Item, in folder: Directory) throws {
    let old: UInt64?
    switch try occupant(item, in: folder) {
    case .guarded, .new: return
    case .nothing: old = nil
    case .old(let inode): old = inode
    }
    // What came while the restore was killed is kept as well; what came while it runs is of a process that ought
    // not to write here.
    guard isResumed || old == item.replaced else { throw Obstacle(path: item.path) }
    // The file itself comes last: a kept database is whole when it appears.
    for suffix in item.companions + [""] {
      let name = item.name + suffix
      let keptName = item.name + journal.suffix + suffix
      let present = try inode(name, in: folder)
      let kept = try inode(keptName, in: folder)
      guard present != kept else { continue }
      if kept != nil {
        guard isResumed else { throw Obstacle(path: item.path + journal.suffix + suffix) }
        try folder.remove(keptName)
      }
      if present != nil { try folder.link(name, to: keptName) }
    }
  }

  private func putGuard(_ item: RestoreJournal.Item, in folder: Directory) throws {
    switch try occupant(item, in: folder) {
    case .guarded where !isResumed:
      throw RestoreError.sharedName(path: item.path)
    case .guarded, .new: return
    // This fails if something has come there since.
    case .nothing: try folder.makeLink(item.name, to: guardText)
    case .old: try putGuard(over: item, in: folder)
    }
  }

  private func putGuard(over item: RestoreJournal.Item, in folder: Directory) throws {
    try staging.remove(Self.guardName)
    try staging.makeLink(Self.guardName, to: guardText)
    try staging.rename(Self.guardName, to: folder, item.name)
  }

  private func clear(_ item: RestoreJournal.Item, in folder: Directory) throws {
    // What stands beside a new file belongs to that.
    guard case .guarded = try occupant(item, in: folder) else { return }
    for suffix in item.companions {
      guard let present = try inode(item.name + suffix, in: folder) else { continue }
      guard try present == inode(item.name + journal.suffix + suffix, in: folder) else {
        throw Obstacle(path: item.path + suffix)
      }
      try folder.remove(item.name + suffix)
    }
  }

  private func place(_ item: RestoreJournal.Item, _ index: Int, in folder: Directory) throws {
    switch try occupant(item, in: folder) {
    case .new: return
    case .nothing, .old: throw Obstacle(path: item.path)
    case .guarded: break
    }
    guard try inode("\(index)", in: staging) == item.inode else { throw Obstacle(path: item.path) }
    try staging.rename("\(index)", to: folder, item.name)
  }

  // MARK: the way back

  private func takeAway(_ item: RestoreJournal.Item, in folder: Directory) throws {
    guard case .new = try occupant(item, in: folder) else { return }
    try putGuard(over: item, in: folder)
  }

  /// The file itself comes last: when it stands under its name again, all that belongs to it is beside it.
  private func giveBack(_ item: RestoreJournal.Item, in folder: Directory) throws {
    guard case .guarded = try occupant(item, in: folder) else { return }
    for suffix in item.companions {
      let kept = try inode(item.name + journal.suffix + suffix, in: folder)
      let present = try inode(item.name + suffix, in: folder)
      guard present != kept else { continue }
      // It belonged to the new file, which a process has opened.
      if present != nil { try folder.remove(item.name + suffix) }
      if kept != nil { try folder.link(item.name + journal.suffix + suffix, to: item.name + suffix) }
    }
    try folder.sync()
    if try inode(item.name + journal.suffix, in: folder) != nil {
      try folder.rename(item.name + journal.suffix, to: folder, item.name)
    } else {
      try folder.remove(item.name)
    }
  }

  private func forget(_ item: RestoreJournal.Item, in folder: Directory) throws {
    for suffix in [""] + item.companions {
      let keptName = item.name + journal.suffix + suffix
      guard let kept = try inode(keptName, in: folder), try kept == inode(item.name + suffix, in: folder)
      else { continue }
      try folder.remove(keptName)
    }
  }
}
