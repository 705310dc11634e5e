import FoundationEssentials
import System

/// The last entry of every archive: what is in it, how it was taken, and what could not be.
package struct Manifest: Codable {
  /// The version of this format.
  package var format = 1
  package var generator: String
  package var name: String
  package var appVersion: String
  /// RFC 3339.
  package var created: String
  /// The time between the earliest and the latest of the snapshots, in milliseconds.
  package var snapshotSkewMilliseconds: Double
  /// Whether nothing was skipped.
  package var complete: Bool
  package var entries: [Entry]
  package var skipped: [Skipped]
  /// What the administrator excluded; a folder stands for all in it. Nil in archives of earlier versions.
  package var excluded: [String]?

  package struct Entry: Codable {
    package var path: String
    package var kind: Kind
    /// In bytes, uncompressed.
    package var size: UInt64
    /// In hexadecimal.
    package var sha256: String
    /// In hexadecimal, as `unzip -v` prints it.
    package var crc32: String
    /// RFC 3339.
    package var modified: String
    package var database: Database?
    /// What else is to be known of it.
    package var note: String?

    package enum Kind: String, Codable {
      case database
      case file
    }
  }

  package struct Database: Codable {
    package var journalMode: String
    package var pageSize: Int
    package var pageCount: UInt32
    package var method: String
    /// RFC 3339.
    package var takenAt: String

    package enum CodingKeys: String, CodingKey {
      case journalMode = "journal_mode"
      case pageSize = "page_size"
      case pageCount = "page_count"
      case method
      case takenAt = "taken_at"
    }
  }

  package enum CodingKeys: String, CodingKey {
    case format, generator, name, created, complete, entries, skipped, excluded
    case appVersion = "app_version"
    case snapshotSkewMilliseconds = "snapshot_skew_ms"
  }

  /// The JSON text, which has the same length whatever digits the digests have.
  package func encoded() -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
    } catch {
      fatalError("a manifest of strings and numbers is always JSON: \(error)")
    }
  }
}

extension Manifest {
  /// Its own name in the archive.
  package static let entryName = "MANIFEST.json"
  /// The name of the entry that has the application's version.
  package static let versionEntryName = "VERSION"

  /// The longest text that is read, in bytes: that of 10,000 entries has 4 MB.
  package static let maximumSize = 8 << 20
  /// The longest `VERSION` that is compared, in bytes.
  package static let maximumVersionSize = 1 << 16
  /// A decoder needs some 100 bytes for each value: `[0,0,0…` of the greatest size would take 200 MB. 10,000 entries
  /// that all are databases have 140,000.
  package static let maximumValues = 200_000

  /// Reads a text that may be hostile.
  ///
  /// - Returns: nil if it is no manifest that we have written, or of a later format.
  package init?(_ text: [UInt8]) {
    guard Self.isReadable(text), let manifest = try? JSONDecoder().decode(Manifest.self, from: Data(text)),
      manifest.format == 1
    else { return nil }
    self = manifest
  }

  /// Whether a text is within what is read.
  package static func isReadable(_ text: [UInt8]) -> Bool {
    text.count <= maximumSize && countValues(text) <= maximumValues
  }

  /// At least as many as there are: each follows a comma or begins something.
  private static func countValues(_ text: [UInt8]) -> Int {
    var count = 0
    var isInString = false
    var isEscaped = false
    for byte in text {
      if isEscaped {
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isInString.toggle()
      } else if !isInString,
        byte == UInt8(ascii: ",") || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "{")
      {
        count += 1
      }
    }
    return count
  }
}

/// Something that should have been in the archive and is not.
package struct Skipped: Codable, Equatable, Sendable {
  /// Its path in the archive.
  package var path: String
  /// Why, in one stable word for programs: docs/troubleshooting.md lists them.
  package var reason: String
  /// Why, for people.
  package var detail: String
}
