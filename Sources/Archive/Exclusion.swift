package import System

/// What an archive leaves out by name: the administrator's shell patterns, and files that this program leaves behind.
///
/// A pattern is matched against the path in the archive and against its last name, byte by byte; `*` and `?` do not
/// match a slash. A folder that matches is not entered, so all in it is excluded.
package struct Exclusion {
  /// What `restore` keeps beside the files that it replaces, and what a killed `restore`, `backup` or `pull` leaves.
  private static let leftovers = [
    "*\(RestorableNames.keptMark)*", "\(RestorableNames.stagingPrefix)*", ".sluice-*.partial",
    ".sluice-pull.??????",
  ]

  private let patterns: [String]

  package init(_ patterns: [String]) { self.patterns = patterns }

  /// Whether a pattern matches a path in the archive.
  package func matches(_ path: BytePath) -> Bool { Self.matches(path, patterns) }

  /// Whether a pattern matches a path, or a folder on the way to it.
  package func matchesAnyPart(of path: BytePath) -> Bool {
    path.ancestors.contains { matches($0) } || matches(path)
  }

  /// Whether a path is that of a WAL, a `-shm` or a journal whose database a pattern matches: it is of no use alone.
  package func matchesDatabase(ofCompanion path: BytePath) -> Bool {
    guard let database = DatabaseNames.database(ofCompanion: path) else { return false }
    return matches(database)
  }

  /// Whether a path is called as what this program leaves behind.
  package static func isLeftover(_ path: BytePath) -> Bool { matches(path, leftovers) }

  private static func matches(_ path: BytePath, _ patterns: [String]) -> Bool {
    let name = path.name
    return patterns.contains { pattern in
      FileSystem.matches(path, pattern) || name != path && FileSystem.matches(name, pattern)
    }
  }
}
