import SQLiteSnapshot
import System
import Zip

/// Names that no entry of an archive may have.
enum EntryNames {
  /// Of a name in a directory, in bytes, on all the file systems that Linux has databases on: `NAME_MAX`.
  private static let maximumLength = 255

  /// What is wrong with the name of something from the data directory; nil if nothing is.
  static func fault(_ item: ArchiveItem) -> String? {
    do throws(ZipError) { try item.entry.checkName() } catch { return "\(error)" }
    let path = BytePath(item.entry.name)
    // What is in a folder of such a name would make that entry a folder.
    if ArchiveOptions.reservedNames.contains(where: { path.lies(in: BytePath($0)) }) {
      return "the archive has an entry of its own by this name; rename the file"
    }
    guard RestorableNames.isSafe(path) else {
      return "it is in the staging directory of a restore, into which no archive is restored"
    }
    // What is read-only for ever, such as a database that another program made, may have so long a name.
    let longestName = path.name + CompanionFile.journal
    guard !item.isDatabase || longestName.bytes.count <= maximumLength else {
      return "with -journal its name is too long, so that SQLite could not write to it where it is restored"
    }
    return nil
  }
}
