import Archive
import System

/// One file of a restore; its staged name is its place in the journal's list.
struct RestoredFile: Codable, Equatable {
  /// Relative to the directory.
  var path: BytePath
  /// The inode of the staged file: it distinguishes the new file from the old.
  var inode: UInt64 = 0
  /// The inode of the file that it replaces, if there is one.
  var replaced: UInt64?
  /// The suffixes by which a database finds what belongs to it, save those that the archive has files of its own for.
  var companions: [BytePath]

  /// The folder that it is in; empty for the directory itself.
  var folder: BytePath { path.folder }
  /// Its name in that folder.
  var name: BytePath { path.name }

  static let companionSuffixes = DatabaseNames.companionSuffixes.map { BytePath($0) }
}
