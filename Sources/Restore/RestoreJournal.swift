import Archive
import FoundationEssentials
import System
import Zip

/// What a restore is about to do, written down before the first step and removed after the last: by it, the next run
/// knows how to go on with a restore that was killed.
///
/// It is complete or not there: it is synced under another name first.
struct RestoreJournal: Codable, Equatable {
  /// The version of this format.
  var format = 1
  /// What follows the name of a file that is kept.
  var suffix: String
  /// Folders that the restore makes, each after the one it is in.
  var newFolders: [String]
  var items: [Item]

  /// One file; its staged name is its place in the list.
  struct Item: Codable, Equatable {
    /// Relative to the directory.
    var path: String
    /// The inode of the staged file: by it, the new file is told from the old.
    var inode: UInt64 = 0
    /// The inode of the file that it replaces, if there is one.
    var replaced: UInt64?
    /// The suffixes by which a database finds what belongs to it, save those that the archive has files of its own for.
    var companions: [String]

    /// The folder that it is in; empty for the directory itself.
    var folder: String { Self.split(path).folder }
    /// Its name in that folder.
    var name: String { Self.split(path).name }

    private static func split(_ path: String) -> (folder: String, name: String) {
      let parts = path.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
      return (parts.dropLast().joined(separator: "/"), parts.last ?? "")
    }
  }

  /// The names that it has in the staging directory: the journal of a restore that goes on, and of one that goes back.
  static let forward = "journal"
  static let backward = "journal-of-the-way-back"
  static let unfinished = "journal.partial"

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

  init(suffix: String, newFolders: [String], items: [Item]) {
    self.suffix = suffix
    self.newFolders = newFolders
    self.items = items
  }

  /// Reads one, which another user may have written: no name in it leads out of the directory.
  ///
  /// - Returns: nil if it is no journal of ours.
  init?(_ text: [UInt8]) {
    guard let journal = try? JSONDecoder().decode(RestoreJournal.self, from: Data(text)),
      journal.format == 1, journal.suffix.utf8.starts(with: RestorableNames.keptMark.utf8),
      !journal.suffix.utf8.contains(UInt8(ascii: "/")),
      (journal.newFolders + journal.items.map(\.path)).allSatisfy(RestorableNames.isSafe),
      journal.items.allSatisfy({ $0.companions.allSatisfy(DatabaseNames.companionSuffixes.contains) })
    else { return nil }
    self = journal
  }
}
