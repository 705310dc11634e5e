import FoundationEssentials
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
  /// Entity tags of archives that were not sent to their end, the newest last: a client that presents one may have a part
  /// only.
  package var unfinishedTags: [String] = []

  package struct Backup: Codable, Equatable, Sendable {
    package var outcome: BackupService.Outcome
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

  package struct Complete: Codable, Equatable, Sendable {
    /// When the client had it, or was last told that it is still current, in seconds since 1970.
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
    /// Of the whole directory, by `BackupService.Outcome`.
    package var completed = ["complete": 0, "incomplete": 0]
    /// Of the databases that `?db=` chose.
    package var selected = ["complete": 0, "incomplete": 0]
    /// By `BackupError.reason`, or by what became of the client.
    package var aborted = ["client-left": 0, "client-stalled": 0]
    /// Requests for a backup that were refused before one was begun.
    package var rejected = ["bad-request": 0, "misdirected": 0, "too-many-backups": 0, "unauthorized": 0]
    /// Requests whose client has an archive of the same state.
    package var unchanged = 0
    /// Archives that a client who was lost has gone on with.
    package var resumed = 0
    /// Write-ahead logs that were left, when a snapshot was released, with rows that no process had open.
    package var leftLogs = 0
    /// Uncompressed, and as sent.
    package var bytesRead: UInt64 = 0
    package var bytesSent: UInt64 = 0
    /// From requests to the ends of their backups.
    package var seconds = 0.0

    package enum CodingKeys: String, CodingKey {
      case started, completed, selected, aborted, rejected, unchanged, resumed, seconds
      case leftLogs = "left_wals"
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
  }
}

extension ServiceState {
  /// So many tags are remembered.
  package static let maximumUnfinishedTags = 64
  private static let maximumReasons = 64
  /// What JSON's numbers are exact to, and far from where a counter would overflow.
  private static let largestNumber: UInt64 = 1 << 53

  /// Reads a text that anything may have written.
  ///
  /// - Throws: a `Failure` that says why it is not the state of this directory.
  package init(_ text: [UInt8], of dataDirectory: String) throws(Failure) {
    struct Format: Decodable { var format: Int }
    let data = Data(text)
    guard let format = try? JSONDecoder().decode(Format.self, from: data).format else {
      throw Failure(description: "it is torn, or not a state of sluice")
    }
    guard format == Self.currentFormat else {
      throw Failure(description: "it has format \(format), and this version reads \(Self.currentFormat)")
    }
    guard let state = try? JSONDecoder().decode(ServiceState.self, from: data), state.isPlausible else {
      throw Failure(description: "it is torn, or not a state of sluice")
    }
    guard state.dataDirectory.utf8.elementsEqual(dataDirectory.utf8) else {
      throw Failure(description: "it is of another data directory")
    }
    self = state
  }

  /// The JSON text.
  package func encoded() -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do { return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")] } catch {
      fatalError("a state of strings and numbers is always JSON: \(error)")
    }
  }

  /// Whether it can be counted on from here, and shown as it is.
  private var isPlausible: Bool {
    let tables = [counts.completed, counts.selected, counts.aborted, counts.rejected]
    let numbers =
      tables.flatMap(\.values) + [counts.started, counts.unchanged, counts.resumed, counts.leftLogs]
      + [lastBackup?.ended, lastComplete?.ended, lastComplete?.databases].compactMap(\.self)
    let sizes = [counts.bytesRead, counts.bytesSent, lastBackup?.bytes ?? 0, lastComplete?.bytes ?? 0]
    let times = [counts.seconds, lastComplete?.skewMilliseconds ?? 0]
    let tags = unfinishedTags + [lastComplete?.tag].compactMap(\.self)
    return tables.allSatisfy { $0.count <= Self.maximumReasons && $0.keys.allSatisfy(Self.isWord) }
      && numbers.allSatisfy { $0 >= 0 && UInt64($0) <= Self.largestNumber }
      && sizes.allSatisfy { $0 <= Self.largestNumber }
      && times.allSatisfy { $0 >= 0 && $0 <= Double(Self.largestNumber) }
      && unfinishedTags.count <= Self.maximumUnfinishedTags && tags.allSatisfy(Self.isWord)
  }

  /// Small letters, digits and hyphens.
  private static func isWord(_ text: String) -> Bool {
    (1...128).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }
}
