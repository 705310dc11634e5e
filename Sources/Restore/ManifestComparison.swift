import Archive
import System

/// A manifest beside what an archive has. `verify`, `restore` and `keep` judge by this alone, so that they cannot disagree.
struct ManifestComparison {
  let manifest: Manifest
  let entries: [BytePath: Manifest.Entry]
  private let repeated: [BytePath]

  init(_ manifest: Manifest) {
    self.manifest = manifest
    var entries: [BytePath: Manifest.Entry] = [:]
    var repeated: [BytePath] = []
    for entry in manifest.entries
    where entries.updateValue(entry, forKey: BytePath(entry.path)) != nil {
      repeated.append(BytePath(entry.path))
    }
    self.entries = entries
    self.repeated = repeated
  }

  /// How an entry differs by what the archive's records say of it, before it is read.
  func difference(_ path: BytePath, size: UInt64) -> EntryDifference? {
    guard let entry = entries[path] else { return .unlisted }
    return size == entry.size ? nil : .size(found: size, listed: entry.size)
  }

  /// How an entry differs, once it was read to its end.
  func difference(_ path: BytePath, _ content: EntryContent) -> EntryDifference? {
    if let difference = difference(path, size: content.size) { return difference }
    guard let entry = entries[path] else { return .unlisted }
    if content.sha256 != entry.sha256 { return .sha256 }
    if content.crc32.hexadecimal != entry.crc32 { return .crc32 }
    guard let database = entry.database else { return nil }
    let size = UInt64(max(0, database.pageSize)).multipliedReportingOverflow(by: UInt64(database.pageCount))
    return size == (content.size, false) ? nil : .pageCount
  }

  /// How the archive as a whole differs.
  ///
  /// - Parameters:
  ///   - paths: of all entries.
  ///   - folders: entries that are folders.
  ///   - version: the content of `VERSION`, if there is one.
  func differences(paths: Set<BytePath>, folders: [BytePath], version: [UInt8]?) -> [ArchiveDifference] {
    var differences = repeated.map { ArchiveDifference.listedTwice($0) }
    // The manifest cannot list itself.
    differences += entries.keys.filter { !paths.contains($0) || $0 == ArchiveContents.manifestName }
      .sorted().map { .missing($0) }
    differences += folders.map { .folder($0) }
    if let version, version != Array((manifest.appVersion + "\n").utf8) { differences.append(.version) }
    if manifest.complete != manifest.skipped.isEmpty {
      differences.append(.completeness(complete: manifest.complete, skipped: manifest.skipped.count))
    }
    return differences
  }
}

/// How one entry differs from what the manifest says of it.
enum EntryDifference: Error, Equatable {
  case unlisted
  case size(found: UInt64, listed: UInt64)
  case sha256
  case crc32
  case pageCount
  /// The manifest says that it is a database, and it does not begin as one.
  case noDatabase
}

extension EntryDifference: CustomStringConvertible {
  var description: String {
    switch self {
    case .unlisted: "the manifest has no such entry"
    case .size(let found, let listed):
      "its size is not what the manifest says: \(counted(found, "byte")) instead of \(listed)"
    case .sha256: "its SHA-256 is not what the manifest says"
    case .crc32: "its CRC-32 is not what the manifest says"
    case .pageCount: "has not as many pages as the manifest says"
    case .noDatabase: "is a database in the manifest, and none to SQLite"
    }
  }
}

/// How an archive differs from its manifest, in what concerns no entry that is there, or all of them.
enum ArchiveDifference: Error, Equatable {
  case listedTwice(BytePath)
  case missing(BytePath)
  case folder(BytePath)
  case version
  case completeness(complete: Bool, skipped: Int)
}

extension ArchiveDifference: CustomStringConvertible {
  var description: String {
    switch self {
    case .listedTwice(let path): "the manifest has \(path) twice"
    case .missing(let path): "\(path): is missing"
    case .folder(let path): "\(path): is a folder, which no manifest lists"
    case .version: "VERSION is not what the manifest says (app_version)"
    case .completeness(let complete, let skipped):
      "the manifest contradicts itself: it is \(complete ? "" : "not ")complete, and skipped \(skipped)"
    }
  }
}
