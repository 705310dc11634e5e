import Archive
import FoundationEssentials
import System

/// What a restore is about to do, written down before the first step and removed after the last: by it, the next run
/// knows how to go on with a restore that was killed.
///
/// It is complete or not there: it is synced under another name first.
struct RestoreJournal: Codable, Equatable {
  /// The version of this format.
  var format = 1
  /// What follows the name of a file that is kept.
  var suffix: BytePath
  /// Folders that the restore makes, each after the one it is in.
  var newFolders: [BytePath]
  var items: [RestoredFile]
  /// The inode of the staging directory: in a copy of it, no file is known by its inode any more. Older journals have none.
  var staging: UInt64?

  /// The names that it has in the staging directory: the journal of a restore that goes on, and of one that goes back.
  static let forward: BytePath = "journal"
  static let backward: BytePath = "journal-of-the-way-back"
  static let unfinished: BytePath = "journal.partial"

  /// The name of a staged file, by its place in the list.
  static func stagedName(_ index: Int) -> BytePath { BytePath("\(index)") }

  /// Far more than the longest list that an archive can have.
  static let maximumSize = 16 << 20

  /// The JSON text.
  func encoded() -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do { return Array(try encoder.encode(self)) } catch {
      fatalError("a journal of strings and numbers is always JSON: \(error)")
    }
  }

  init(suffix: BytePath, newFolders: [BytePath], items: [RestoredFile]) {
    self.suffix = suffix
    self.newFolders = newFolders
    self.items = items
  }

  /// Reads one, which another user may have written: no name in it leads out of the directory.
  ///
  /// - Returns: nil if it is no journal of ours.
  init?(_ text: [UInt8]) {
    guard let journal = try? JSONDecoder().decode(RestoreJournal.self, from: Data(text)),
      journal.format == 1, journal.suffix.hasPrefix(BytePath(RestorableNames.keptMark)),
      journal.suffix.isRelativeAndPlain, journal.suffix.parent == nil,
      (journal.newFolders + journal.items.map(\.path)).allSatisfy({ RestorableNames.isSafe($0) }),
      journal.items.allSatisfy({ $0.companions.allSatisfy(RestoredFile.companionSuffixes.contains) })
    else { return nil }
    self = journal
  }
}
