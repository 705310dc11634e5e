package import SQLiteSnapshot
import System
package import Zip

/// Why there is no backup, or why one was broken off.
package enum BackupError: Error, Sendable {
  /// The data directory is not there or cannot be read.
  case dataDirectory(path: String, detail: String)
  /// A database was asked for by a name that no entry of an archive can have.
  case invalidName(String)
  /// A database was asked for that a backup of everything does not have.
  case unknownDatabase(String)
  /// More files than one backup may hold open.
  case tooManyFiles(limit: Int)
  /// The archive would be larger than what `verify` and `restore` read.
  case tooLarge(String)
  /// Not everything could be taken, and `strict` was asked for.
  case incomplete([Skipped])
  /// A file could not be read any more, or is not what it was when the backup began.
  case reading(path: String, SQLiteError)
  /// A file was written to while it was read, or read again.
  case changed(path: String)
  /// The snapshots were held for longer than allowed.
  case snapshotTooOld(limit: Duration)
  /// A database's WAL grew further than allowed while it was pinned.
  case walGrewTooMuch(path: String, limit: UInt64)
  /// The file system of a pinned database's WAL has little room left, in bytes.
  case spaceLow(path: String, available: UInt64, needed: UInt64)
  /// The archive cannot be written.
  case zip(ZipError)
  /// No thread could be had, or no descriptor for one.
  case system(String)
  /// Its caller called it off.
  case cancelled
}

extension BackupError {
  /// What happened, in one stable word for programs.
  package var reason: String {
    switch self {
    case .dataDirectory: "data-directory"
    case .invalidName: "invalid-name"
    case .unknownDatabase: "unknown-database"
    case .tooManyFiles: "too-many-files"
    case .tooLarge: "too-large"
    case .incomplete: "strict"
    case .reading(_, let error) where error.reason == .unseenWriter: error.reason.rawValue
    case .reading: "read-error"
    case .changed: "changed"
    case .snapshotTooOld: "snapshot-age"
    case .walGrewTooMuch: "wal-growth"
    case .spaceLow: "low-space"
    case .zip: "zip"
    case .system: "system"
    case .cancelled: "client-left"
    }
  }
}

extension BackupError: CustomStringConvertible {
  /// What happened and what to do, for people.
  package var description: String {
    switch self {
    case .dataDirectory(let path, let detail):
      "the data directory \(path) cannot be read: \(detail)"
    case .invalidName(let name):
      "\(printable(name)) is no database's name: give its path in the archive, such as events.db"
    case .unknownDatabase(let name):
      "there is no database \(printable(name)) in what is backed up"
    case .tooManyFiles(let limit):
      "there are more than \(limit) files to back up; include less, or keep them in fewer files"
    case .tooLarge(let detail):
      "verify and restore would refuse the archive: \(detail); include less, or back it up in several archives"
    case .incomplete(let skipped):
      "not everything could be taken, and strict was asked for: \(Self.list(skipped))"
    case .reading(let path, let error):
      "\(printable(path)) could not be read to its end: \(error)"
    case .changed(let path):
      "\(printable(path)) was written to while the archive was made"
    case .snapshotTooOld(let limit):
      "the backup took longer than a snapshot may be held (\(limit))"
    case .walGrewTooMuch(let path, let limit):
      "the WAL of \(printable(path)) grew by more than \(limit) bytes while it was pinned"
    case .spaceLow(let path, let available, let needed):
      "the WAL of \(printable(path)) grows while it is pinned, and its file system has \(available) bytes free of the "
        + "\(needed) that it is to keep"
    case .zip(let error):
      "the archive cannot be written: \(error)"
    case .system(let detail):
      "no backup can be started: \(detail)"
    case .cancelled:
      "the backup was cancelled"
    }
  }
}

extension BackupError {
  /// In bytes: more would fill a log and the answer to a client.
  private static let maximumListLength = 1024

  /// The first of what was skipped, and how many more there are.
  private static func list(_ skipped: [Skipped]) -> String {
    var length = 0
    let shown = skipped.map { "\(printable($0.path)) (\($0.reason))" }.prefix {
      length += $0.utf8.count
      return length <= maximumListLength
    }
    let more = skipped.count - shown.count
    return (shown + (more > 0 ? ["and \(more) more"] : [])).joined(separator: ", ")
  }
}
