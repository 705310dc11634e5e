import System

/// What a service knows of the past and keeps beyond its own end: when the last complete backup was, and its counters.
package struct ServiceState: Codable, Equatable, Sendable {
  /// Of this file; a later one may mean anything.
  package static let currentFormat = 1

  package var format = currentFormat
  /// Absolute, without links: what is known of one directory says nothing of another.
  package var dataDirectory: String
  package var counts = Counts()
  /// The last backup that ended, however it did.
  package var lastBackup: Backup?
  /// The last complete backup of the whole directory.
  package var lastComplete: Complete?
  /// Entity tags of archives that were not sent to their end, or not yet, the newest last: a client that presents one may
  /// have a part only.
  package var unfinishedTags: [String] = []
  /// The last backups that ended, the newest last.
  package var history: [PastBackup] = []
  /// When a client last had each database, in seconds since 1970, by its path in the archive. Those of the last backup of the
  /// whole directory, and of selections since.
  package var databaseTimes: [String: Int] = [:]

  package struct Backup: Codable, Equatable, Sendable {
    package var outcome: BackupOutcome
    /// Whether `?db=` chose the databases.
    package var isSelection: Bool
    /// Seconds since 1970.
    package var ended: Int
    package var bytes: UInt64

    package enum CodingKeys: String, CodingKey {
      case outcome, ended, bytes
      case isSelection = "is_selection"
    }
  }

  /// One of the last backups.
  package struct PastBackup: Codable, Equatable, Sendable {
    package var outcome: BackupOutcome
    /// Why it failed, in one word.
    package var reason: String?
    package var isSelection: Bool
    /// Seconds since 1970.
    package var ended: Int
    /// As sent.
    package var bytes: UInt64
    package var milliseconds: Int
    /// Nil if it failed before its snapshots were held.
    package var databases: Int?
    package var skipped: Int?
    package var skewMilliseconds: Double?

    package enum CodingKeys: String, CodingKey {
      case outcome, reason, ended, bytes, databases, skipped
      case isSelection = "is_selection"
      case milliseconds = "duration_ms"
      case skewMilliseconds = "snapshot_skew_ms"
    }
  }

  package struct Complete: Codable, Equatable, Sendable {
    /// When the client had it, or last got 304 for it, in seconds since 1970.
    package var ended: Int
    /// The archive's opaque entity tag: the state, a hyphen, the archive.
    package var tag: String
    package var databases: Int
    /// Of the archive; nil if another process sent it and left no state.
    package var bytes: UInt64?
    package var skewMilliseconds: Double?

    package enum CodingKeys: String, CodingKey {
      case ended, tag, databases, bytes
      case skewMilliseconds = "snapshot_skew_ms"
    }
  }

  package struct Counts: Codable, Equatable, Sendable {
    /// Backups whose request could be met; counted once its snapshots are held, or it has failed.
    package var started = 0
    /// Of the whole directory, by `BackupOutcome`.
    package var completed = ["complete": 0, "incomplete": 0]
    /// Of the databases that `?db=` chose.
    package var selected = ["complete": 0, "incomplete": 0]
    /// By `BackupError.reason`, or by what became of the client.
    package var aborted = zeros(BackupFailure.reasons)
    /// Requests for a backup that were refused before one was begun.
    package var rejected = zeros([
      "bad-request", "invalid-name", "misdirected", "too-many-backups", "unauthorized", "unknown-database",
    ])
    /// Requests whose client has an archive of the same state.
    package var unchanged = 0
    /// Archives that a lost client has resumed.
    package var resumed = 0
    /// WALs that were left, when a snapshot was released, with rows that no process had open.
    package var leftWALs = 0
    /// Uncompressed, and as sent.
    package var bytesRead: UInt64 = 0
    package var bytesSent: UInt64 = 0
    /// From requests to the ends of their backups.
    package var seconds = 0.0

    /// Shown from the beginning: to Prometheus, a series that begins with 1 has not grown.
    private static func zeros(_ words: [String]) -> [String: Int] {
      Dictionary(uniqueKeysWithValues: words.map { ($0, 0) })
    }

    package enum CodingKeys: String, CodingKey {
      case started, completed, selected, aborted, rejected, unchanged, resumed, seconds
      case leftWALs = "left_wals"
      case bytesRead = "bytes_read"
      case bytesSent = "bytes_sent"
    }
  }

  package enum CodingKeys: String, CodingKey {
    case format, counts
    case dataDirectory = "data_directory"
    case lastBackup = "last_backup"
    case lastComplete = "last_complete"
    case unfinishedTags = "unfinished_tags"
    case history
    case databaseTimes = "database_times"
  }
}
