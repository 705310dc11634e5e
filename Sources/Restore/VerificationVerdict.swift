import Archive
import System

extension Verification {
  /// Compares everything with the manifest, and decides the verdict.
  ///
  /// - Parameter contents: nil if its records or its manifest could not be read, which is among the faults.
  mutating func judge(_ contents: ArchiveContents?) {
    guard case .readable(let comparison)? = contents?.manifest else {
      if case .unreadable? = contents?.manifest {
        faults.append("MANIFEST.json is none that this version can read")
      }
      let isSound = faults.isEmpty && entries.allSatisfy { $0.fault == nil }
      verdict = isSound ? .foreign : .damaged
      if isSound {
        faults.append("it is a zip without a MANIFEST.json: nothing tells what should be in it")
      }
      return
    }
    skipped = comparison.manifest.skipped
    inventory = ArchiveInventory(comparison.manifest)
    for index in entries.indices where entries[index].bytePath != ArchiveContents.manifestName {
      Self.compare(&entries[index], comparison)
    }
    let paths = Set(entries.map(\.bytePath))
    faults += contents?.differences(paths: paths).map { "\($0)" } ?? []
    let isSound = faults.isEmpty && entries.allSatisfy { $0.fault == nil }
    let isFinished = entries.allSatisfy { $0.notFinished == nil }
    verdict =
      isSound ? isFinished ? comparison.manifest.complete ? .whole : .incomplete : .unfinished : .damaged
  }

  private static func compare(_ found: inout Entry, _ comparison: ManifestComparison) {
    guard let listed = comparison.entries[found.bytePath] else {
      found.fault = found.fault ?? "\(EntryDifference.unlisted)"
      return
    }
    // A file that is no database to the manifest was taken as it lay there: SQLite's opinion is no more than that.
    if listed.kind == .file, !found.isUnreadable, let fault = found.fault, found.sha256 == listed.sha256 {
      found.note = "taken as a plain file; as a database it has a fault: \(fault)"
      found.fault = nil
    }
    if listed.kind == .file, let reason = found.notFinished, found.sha256 == listed.sha256 {
      found.note = "taken as a plain file; as a database it is not known to be whole: \(reason)"
      found.notFinished = nil
    }
    guard found.fault == nil else { return }
    let content = EntryContent(size: found.size, sha256: found.sha256, crc32: found.crc32)
    var difference = comparison.difference(found.bytePath, content)
    if difference == nil, listed.kind == .database, found.size > 0, !found.isDatabase {
      difference = .noDatabase
    }
    found.fault = difference.map { "\($0)" }
  }
}
