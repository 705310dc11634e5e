import SQLiteSnapshot
import Zip

/// What is held only so that an archive can be made again, and what that costs the application.
extension ArchiveMaker {
  /// Whether a plain file of which something has been read was written to since, as far as its times tell.
  var hasReadWhatChanged: Bool { items.prefix(readingItem + 1).contains { $0.wasWrittenTo } }

  /// By how many bytes the WAL of a database has grown that was read to its end, the largest of them.
  func walGrowthOfWhatWasRead() throws(BackupError) -> UInt64 {
    var largest: UInt64 = 0
    for item in items.prefix(readingItem) { largest = max(largest, try item.walGrowth(limit: .max)) }
    return largest
  }

  /// Whether an application is at a checkpoint of a database that was read to its end.
  var isReadBeingCheckpointed: Bool { items.prefix(readingItem).contains { $0.isBeingCheckpointed } }

  /// Releases what has been read, if that is held.
  func releaseWhatWasRead() {
    guard isRewindable else { return }
    isRewindable = false
    for index in 0..<min(readingItem, items.count) { release(index) }
  }

  /// Releases an item.
  func release(_ index: Int) {
    if items[index].leavesWAL { leftWALs.append(items[index].entry.name) }
    items[index].release()
  }
}
