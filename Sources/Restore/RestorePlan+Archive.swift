import Archive
import System

extension RestorePlan {
  /// Another restore within the same second has given its kept files their names: then the next one that is free is taken.
  private static let maximumAttempts = 100

  /// The plan for an archive.
  ///
  /// - Parameter only: files and folders of it; none for everything.
  /// - Throws: `unknownPath`, `unsafeEntry`, `obstacle`, `cannotKeep`.
  init(of archive: RestorableArchive, only: [BytePath], in target: RestoreTarget) throws(RestoreError) {
    let chosen = try Self.selection(of: archive.paths, only: only)
    let names = Names(
      all: Set(archive.members.keys),
      databases: Set(archive.entries.filter { $0.value.kind == .database }.keys),
      customary: Set(archive.entries.keys.filter(DatabaseNames.isCustomary)))
    let now = FileSystem.now()
    var attempt: Int64 = 0
    var plan: RestorePlan
    repeat {
      plan = try RestorePlan(
        chosen, of: names, in: target,
        timestamp: Timestamp(nanoseconds: now + attempt * 1_000_000_000).compact)
      attempt += 1
    } while plan.isNameTaken && attempt < Self.maximumAttempts
    self = plan
  }

  /// A line for each file and each new folder.
  var lines: [String] {
    let keptNames = Dictionary(kept.map { ($0.path, $0.as) }) { first, _ in first }
    return journal.newFolders.map { "new folder  \($0)" }
      + journal.items.flatMap { item in
        let first =
          keptNames[item.path].map { "replaces    \(item.path), kept as \($0)" } ?? "new         \(item.path)"
        return [first]
          + item.companions.compactMap { suffix in
            keptNames[item.path + suffix].map { "moves       \(item.path + suffix) to \($0)" }
          }
      }
  }
}
