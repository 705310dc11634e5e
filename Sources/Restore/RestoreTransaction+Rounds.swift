import Archive
import System

/// What each round does with one file. Every step tells by inodes whether it has been done.
extension RestoreTransaction {
  // MARK: what stands under a name

  private enum Occupant {
    case nothing
    case guarded
    case new
    case old(inode: UInt64)
  }

  private var guardText: BytePath {
    stagingName.appending(RestoreJournal.forward).appending("a-restore-is-under-way")
  }
  private static let guardName: BytePath = "guard"

  private func occupant(_ item: RestoredFile, in folder: Directory) throws -> Occupant {
    guard let status = try folder.status(item.name) else { return .nothing }
    switch status.kind {
    case .regular:
      return status.identity.inode == item.inode ? .new : .old(inode: status.identity.inode)
    case .symbolicLink where folder.linkText(item.name) == guardText: return .guarded
    default: throw Obstacle(path: item.path)
    }
  }

  private func inode(_ name: BytePath, in folder: Directory) throws -> UInt64? {
    try folder.status(name)?.identity.inode
  }

  // MARK: the rounds forward

  /// Whether a restore that was killed had put the file in place, so that what is there by now is the application's: a file that
  /// replaces the new one, or none. It stays, and so does what was kept.
  func isSettled(_ item: RestoredFile, _ index: Int, in folder: Directory) throws -> Bool {
    guard isResumed, try inode(RestoreJournal.stagedName(index), in: staging) == nil else { return false }
    if case .guarded = try occupant(item, in: folder) { return false }
    return true
  }

  /// While the old file stands under its name, the kept names are mere second names, and may be made again.
  func keep(_ item: RestoredFile, in folder: Directory) throws {
    let old: UInt64?
    switch try occupant(item, in: folder) {
    case .guarded, .new: return
    case .nothing: old = nil
    case .old(let inode): old = inode
    }
    // What came while the restore was killed is kept as well; what came while it runs is of a process that ought
    // not to write here.
    guard isResumed || old == item.replaced else { throw Obstacle(path: item.path) }
    if isResumed { try setAside(item, in: folder, unlike: old) }
    // The file itself comes last: a kept database is whole when it appears.
    for suffix in item.companions + ["" as BytePath] {
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

  /// What was kept and has no other name any more is not lost: since the restore was killed, another file has come in its place,
  /// or none. It gets a further ending, `.1`, and what belongs to it before the file itself.
  private func setAside(_ item: RestoredFile, in folder: Directory, unlike present: UInt64?) throws {
    let keptName = item.name + journal.suffix
    guard let kept = try inode(keptName, in: folder), kept != present else { return }
    var number = 1
    while try inode(keptName + BytePath(".\(number)"), in: folder) != nil { number += 1 }
    for suffix in item.companions + ["" as BytePath] where try inode(keptName + suffix, in: folder) != nil {
      try folder.rename(keptName + suffix, to: folder, keptName + BytePath(".\(number)") + suffix)
    }
  }

  func putGuard(_ item: RestoredFile, in folder: Directory) throws {
    switch try occupant(item, in: folder) {
    case .guarded where !isResumed:
      throw RestoreError.sharedName(path: item.path)
    case .guarded, .new: return
    // This fails if something has come there since.
    case .nothing: try folder.makeLink(item.name, to: guardText)
    case .old: try putGuard(over: item, in: folder)
    }
  }

  private func putGuard(over item: RestoredFile, in folder: Directory) throws {
    try staging.remove(Self.guardName)
    try staging.makeLink(Self.guardName, to: guardText)
    try staging.rename(Self.guardName, to: folder, item.name)
  }

  func clear(_ item: RestoredFile, in folder: Directory) throws {
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

  func place(_ item: RestoredFile, _ index: Int, in folder: Directory) throws {
    switch try occupant(item, in: folder) {
    case .new: return
    case .nothing, .old: throw Obstacle(path: item.path)
    case .guarded: break
    }
    guard try inode(RestoreJournal.stagedName(index), in: staging) == item.inode else {
      throw Obstacle(path: item.path)
    }
    try staging.rename(RestoreJournal.stagedName(index), to: folder, item.name)
  }

  // MARK: the way back

  func guardNew(_ item: RestoredFile, in folder: Directory) throws {
    guard case .new = try occupant(item, in: folder) else { return }
    try putGuard(over: item, in: folder)
  }

  /// The file itself comes last: when it stands under its name again, all that belongs to it is beside it.
  func putBack(_ item: RestoredFile, in folder: Directory) throws {
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

  func removeKept(_ item: RestoredFile, in folder: Directory) throws {
    for suffix in ["" as BytePath] + item.companions {
      let keptName = item.name + journal.suffix + suffix
      guard let kept = try inode(keptName, in: folder), try kept == inode(item.name + suffix, in: folder)
      else { continue }
      try folder.remove(keptName)
    }
  }
}
