package import System

/// What SQLite appends to a database's name for the files that it keeps beside it.
///
/// https://www.sqlite.org/tempfiles.html
package enum CompanionFile {
  /// The write-ahead log.
  package static let wal: BytePath = "-wal"
  /// The wal-index, which only SQLite may open.
  package static let shm: BytePath = "-shm"
  /// The rollback journal.
  package static let journal: BytePath = "-journal"

  package static let suffixes = [wal, shm, journal]
}
