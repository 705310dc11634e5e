import Archive
import System

extension RestorePlan {
  /// Another restore within the same second has given its kept files their names: then the next one that is free is taken.
  private static let maximumAttempts = 100

  /// The plan for an archive.
  ///
  /// - Parameter only: files and folders of it; none for everything.
  /// - Throws: `unknownPath`, `unsafeEntry`, `obstacle`, `cannotKeep`.
  init(of archive: RestorableArchive, only: [String], in target: RestoreTarget) throws(RestoreError) {
    let chosen = try Self.selection(of: archive.paths, only: only)
    let databases = Set(archive.manifest.entries.filter { $0.kind == .database }.map(\.path.bytes))
    let customary = Set(archive.entries.keys.filter { DatabaseNames.isCustomary(BytePath($0)) })
    let now = FileSystem.now()
    var attempt: Int64 = 0
    repeat {
      self = try RestorePlan(
        chosen, of: Set(archive.members.keys), databases: databases, customary: customary, in: target,
        timestamp: Timestamp(nanoseconds: now + attempt * 1_000_000_000).compact)
      attempt += 1
    } while isNameTaken && attempt < Self.maximumAttempts
  }

  /// A line for each file and each new folder.
  var lines: [String] {
    let keptNames = Dictionary(kept.map { ($0.path.bytes, $0.as) }) { first, _ in first }
    return journal.newFolders.map { "new folder  \(printable($0))" }
      + journal.items.flatMap { item in
        let name = printable(item.path)
        let first =
          keptNames[item.path.bytes].map { "replaces    \(name), kept as \(printable($0))" }
          ?? "new         \(name)"
        return [first]
          + item.companions.compactMap { suffix in
            keptNames[(item.path + suffix).bytes].map { "moves       \(name)\(suffix) to \(printable($0))" }
          }
      }
  }
}
