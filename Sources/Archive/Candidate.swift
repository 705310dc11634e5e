import SQLiteSnapshot
import System

/// A file of the data directory, by its path in the archive and where it is.
struct Candidate {
  /// In the archive. It is UTF-8, as every name there.
  let path: BytePath
  /// Held open, so that what is looked for in it is found in this directory and no other, whatever becomes of its path: a
  /// link that takes its place after it was looked at would lead out of the data directory.
  let directory: Directory
  /// Before it was opened.
  let status: FileSystem.Status

  /// In its directory.
  var name: BytePath { path.name }

  /// Where it can be opened.
  var location: BytePath { directory.path(of: name) }

  /// Whether its first bytes are SQLite's, or cannot be read. SQLite takes an empty file for a database.
  var mayBeDatabase: Bool { status.size == 0 || (try? PlainFile.isDatabase(location)) ?? true }
}
