import SQLiteSnapshot
import System

/// What could not be taken, and what to do about it.
extension Inventory {
  mutating func skip(_ candidate: Candidate, _ reason: SkipReason, _ detail: String) {
    skipped.append(Skipped(path: candidate.path.lossyString, reason: reason.rawValue, detail: detail))
  }

  /// - Throws: `system` when it is this process that lacks something, which no other file would get either.
  mutating func skip(
    _ candidate: Candidate, _ error: SQLiteError
  ) throws(BackupError) {
    var reason = error.reason
    if reason == .cannotOpen, FileSystem.isMissing(candidate.location) { reason = .missing }
    var detail = error.description
    switch reason {
    case .noMemory: throw .system(detail)
    case .locked: detail += "; another connection held its lock for longer than the busy timeout"
    case .hotJournal:
      detail +=
        "; open it once with its own application, which settles it; with another program only when no application has it open"
    case .unseenWriter:
      detail +=
        "; serve it where its application opens it, with locks that both see: see docs/file-systems.md"
    case .permission: detail += "; run as the application's own user, which may write its -shm"
    case .changed where error == .keepsChanging: detail += "; exclude it, and back it up with its application"
    case .encryptedOrForeign: detail += "; exclude it, and back it up with its application"
    default: break
    }
    skipped.append(Skipped(path: candidate.path.lossyString, reason: reason.rawValue, detail: detail))
  }
}
