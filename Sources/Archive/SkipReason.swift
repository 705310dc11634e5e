import System

/// The reasons for which something is skipped before SQLite was asked; `SQLiteError.Reason` has the others.
enum SkipReason: String {
  case missing
  case permission
  case unreadable
  case symbolicLink = "symbolic-link"
  case notARegularFile = "not-a-regular-file"
  case nameNotUTF8 = "name-not-utf8"
  case unsafeName = "unsafe-name"
  case hardLink = "hard-link"
  case companion
  case notADatabase = "not-a-database"
  case tooDeep = "too-deep"
  case noDatabase = "no-database"

  init(_ error: SystemError) {
    self = error.isMissing ? .missing : error.isForbidden ? .permission : .unreadable
  }
}
