import System
import Zip

/// What `verify` and `restore` take of one archive, asked before its first byte is made: an archive that they would refuse
/// is no backup.
enum ReaderLimits {
  /// Of a member in the central directory beside its name, in bytes, at the most: APPNOTE 4.3.12, 4.5.3 and the extended
  /// timestamp.
  private static let memberRecordSize = 46 + 28 + 9
  /// All that can follow the central directory: APPNOTE 4.3.14 to 4.3.16.
  private static let directoryEndSize = 56 + 20 + 22
  /// Of an entry in the manifest beside its path and note, in bytes, at the most; and how many times as long a text is there
  /// as it was, if all of it must be escaped.
  private static let manifestEntrySize = 1024
  private static let escapedLength = 6
  private static let valuesPerEntry = 24

  /// Compares.
  ///
  /// - Parameters:
  ///   - items: without the manifest.
  ///   - manifest: without entries.
  /// - Throws: `tooLarge`.
  static func check(_ items: [ArchiveItem], _ manifest: Manifest) throws(BackupError) {
    let limits = ZipReadLimits.standard
    // With the manifest's own.
    let names = items.map(\.entry.name) + [Manifest.entryName]
    guard names.count <= limits.memberCount else {
      throw .tooLarge("it would have more than \(limits.memberCount) members")
    }
    let directorySize = names.reduce(directoryEndSize) { $0 + memberRecordSize + $1.utf8.count }
    guard directorySize <= limits.directorySize else {
      throw .tooLarge("the names would need more than \(limits.directorySize) bytes of directory")
    }
    guard items.reduce(0, { $0 + $1.entry.size }) <= limits.totalSize - UInt64(Manifest.maximumSize) else {
      throw .tooLarge("it would hold more than \(limits.totalSize) bytes")
    }
    guard foldersSize(names) <= RestorableNames.maximumSize else {
      throw .tooLarge("the paths of its folders come to more than \(RestorableNames.maximumSize) bytes")
    }
    guard !isSmall(items, manifest) else { return }
    var whole = manifest
    whole.entries = items.map { $0.manifestEntry(sha256: String(repeating: "0", count: 64), crc32: 0) }
    guard Manifest.isReadable(whole.encoded()) else {
      throw .tooLarge(
        "its manifest would be longer than \(Manifest.maximumSize) bytes, or have too many values")
    }
  }

  /// Of the paths of all folders that a restore may make, in bytes.
  private static func foldersSize(_ names: [String]) -> Int {
    var folders: Set<BytePath> = []
    for name in names {
      // What is in one folder has the same ones above it.
      for folder in BytePath(name).ancestors {
        guard folders.insert(folder).inserted else { break }
      }
    }
    return folders.reduce(0) { $0 + $1.bytes.count }
  }

  /// Whether the manifest is far below its limits, so that it need not be made to see that.
  private static func isSmall(_ items: [ArchiveItem], _ manifest: Manifest) -> Bool {
    let excluded = manifest.excluded ?? []
    let count = items.count + manifest.skipped.count + excluded.count
    let texts =
      items.reduce(0) { $0 + $1.entry.name.utf8.count }
      + manifest.skipped.reduce(0) { $0 + $1.path.utf8.count + $1.detail.utf8.count }
      + excluded.reduce(0) { $0 + $1.utf8.count } + manifest.name.utf8.count + manifest.appVersion.utf8.count
    return (count + 1) * manifestEntrySize + texts * escapedLength <= Manifest.maximumSize
      && (count + 1) * valuesPerEntry <= Manifest.maximumValues
  }
}
