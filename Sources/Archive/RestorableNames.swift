package import System
import Zip

/// The names that a restore keeps for itself, and what it can take: an archive that breaks these rules is made for nothing.
package enum RestorableNames {
  /// What the name of a staging directory begins with.
  package static let stagingPrefix = ".sluice-restore-"
  /// What stands between the name of a replaced file that is kept and the time of the restore.
  package static let keptMark = ".before-restore-"
  /// Of all files and new folders of one restore, in bytes: the journal stays far below what is read of it, and a few long
  /// names with a folder at every other byte cannot fill the memory.
  package static let maximumSize = 6 << 20

  /// Whether a path stays inside the directory, and outside a staging directory.
  package static func isSafe(_ path: BytePath) -> Bool {
    guard let name = path.string else { return false }
    let entry = ZipEntry(name: name, modified: 0, permissions: 0, size: 0)
    return (try? entry.checkName()) != nil && !path.hasPrefix(BytePath(stagingPrefix))
  }

  package static func isSafe(_ path: String) -> Bool { isSafe(BytePath(path)) }
}
