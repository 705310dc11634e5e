import Archive
package import System

/// Why nothing was restored. Facts alone: a command adds which of its options helps.
package enum RestoreError: Error, Sendable {
  /// The file is no zip, or none that we have made.
  case notAnArchive(String)
  /// The archive is not whole, or not what its manifest says.
  case damaged(String)
  /// The archive could not be read: nothing is known of the rest of it.
  case unreadable(String)
  /// The check of a database did not come to its end: nothing is known of it.
  case checkUnfinished(path: BytePath, detail: String)
  /// An entry that must not be put anywhere, or not beside the others.
  case unsafeEntry(path: BytePath, UnsafeEntry)
  /// There is nothing in the archive by that path.
  case unknownPath(BytePath)
  /// The directory cannot be restored into.
  case directory(path: BytePath, detail: String)
  /// Something in the directory stands in the way.
  case obstacle(path: BytePath, detail: String)
  /// What would be replaced, without leave to do so.
  case wouldReplace([BytePath])
  /// What would be replaced, and has too long a name to be kept under another.
  case cannotKeep([BytePath])
  /// What is to be replaced is in use.
  case inUse([FileUser])
  /// A database that would be replaced is in the middle of a transaction that was cut off, over several databases.
  case unsettled(path: BytePath, superJournal: BytePath)
  /// A file could not be staged: a full disk, most often.
  case staging(path: BytePath, detail: String)
  /// The file system has one name for two entries; everything is as it was.
  case sharedName(path: BytePath)
  /// A step failed; everything is as it was.
  case rolledBack(detail: String)
  /// A step failed, and so did the way back; the next run goes on.
  case unfinished(detail: String)
  /// A signal came before the first step.
  case interrupted
}

extension RestoreError {
  /// Whether it is the archive that is not sound: another one may be.
  package var isOfArchive: Bool {
    switch self {
    case .notAnArchive, .damaged, .unreadable: true
    default: false
    }
  }
}

/// Why an entry cannot be restored.
package enum UnsafeEntry: Equatable, Sendable {
  case leadsElsewhere
  /// Another entry has the name of its folder.
  case folderIsFile
  /// SQLite would take it for a part of that database.
  case belongs(toDatabase: BytePath)
  case nameTooLong
  /// SQLite could not make a journal beside it.
  case journalNameTooLong
  /// All names together are longer than a journal of a restore may be.
  case namesTooLong(limit: Int)
}

extension UnsafeEntry: CustomStringConvertible {
  package var description: String {
    switch self {
    case .leadsElsewhere: "its name leads elsewhere"
    case .folderIsFile: "another entry has the name of its folder"
    case .belongs(let database):
      "it would become the WAL, the wal-index or the journal of \(database)"
    case .nameTooLong: "its name is too long for this file system"
    case .journalNameTooLong:
      "with -journal its name is too long for this file system, and SQLite could not write to it"
    case .namesTooLong(let limit): "the names come to more than \(limit) bytes"
    }
  }
}

extension RestoreError: CustomStringConvertible {
  /// What happened, for people.
  package var description: String {
    switch self {
    case .notAnArchive(let detail): detail
    case .damaged(let detail): "the archive is damaged, and nothing was restored: \(detail)"
    case .unreadable(let detail):
      "the archive could not be read to its end, and nothing was restored: \(detail)"
    case .checkUnfinished(let path, let detail):
      "\(path) is not known to be whole, and nothing was restored: its check: \(detail)"
    case .unsafeEntry(let path, let reason): "\(path) cannot be restored: \(reason)"
    case .unknownPath(let path):
      "\(path): the archive has no such file or folder; unzip -l lists what it has"
    case .directory(let path, let detail): "\(path): \(detail)"
    case .obstacle(let path, let detail): "\(path) is in the way: \(detail)"
    case .wouldReplace(let paths): "\(listed(paths)) would be replaced"
    case .cannotKeep(let paths):
      "\(listed(paths)) would be replaced and cannot be kept: with .before-restore-TIME the name is too long for this "
        + "file system"
    case .inUse(let users):
      "\(listed(users)); stop the application first"
    case .unsettled(let path, let superJournal):
      "\(path) is part of a transaction over several databases that was cut off (\(superJournal)), "
        + "and nothing was changed: let the application open all of them once, which settles it, or move all of them away "
        + "together with their journals"
    case .staging(let path, let detail):
      "\(path) could not be staged, and nothing was changed: \(detail)"
    case .sharedName(let path):
      "\(path) has the name of another entry, as this file system sees it; everything is as it was"
    case .rolledBack(let detail): "\(detail); everything is as it was"
    case .unfinished(let detail):
      "\(detail); the restore is unfinished, and what is neither as it was nor restored cannot be opened: put that right "
        + "and run sluice restore again, which goes on"
    case .interrupted: "interrupted: nothing was changed"
    }
  }
}

/// What stands in one line for a list: the first few, and how many more there are.
package func listed(_ names: [some CustomStringConvertible]) -> String {
  let shown = 5
  let more = names.count > shown ? " and \(names.count - shown) more" : ""
  return names.prefix(shown).map { printable("\($0)") }.joined(separator: ", ") + more
}
