import SQLiteSnapshot
import System
import Zip

/// What is left of a pinned database, on its way into the spool directory: what a client takes longer for than its application
/// can wait, is sent from there.
final class Detachment {
  /// What is copied at a time, in bytes: the client's own reading waits for as long as that takes.
  private static let stepSize: UInt64 = 8 << 20

  /// Among the maker's.
  let item: Int
  private let rest: SpooledRest
  private let end: UInt64
  /// In bytes.
  let byteCount: UInt64
  /// A spool that has refused a byte is not tried again for this archive.
  private(set) var isRefused = false

  /// Makes room.
  ///
  /// - Parameter range: what is left.
  /// - Returns: nil if the budget or the spool directory has no room for it.
  init?(
    of item: Int, _ range: Range<UInt64>, _ options: ArchiveOptions, _ budget: MemoryBudget
  ) {
    let directory = options.snapshots.spoolDirectory
    guard options.minimumFree.isKept(when: UInt64(range.count), isWrittenIn: directory),
      let rest = try? SpooledRest(of: range, in: directory, budget)
    else { return nil }
    self.item = item
    self.rest = rest
    end = range.upperBound
    byteCount = UInt64(range.count)
  }

  /// Copies some of it; the snapshot of `item` is released for it when all is there, and the pin has held until then.
  ///
  /// - Throws: `reading`.
  func copySome(of item: inout ArchiveItem) throws(BackupError) {
    let stepEnd = min(rest.end + Self.stepSize, end)
    while rest.end < stepEnd {
      let count = Int(min(UInt64(DeflateEngine.blockSize), stepEnd - rest.end))
      let bytes = try item.read(count, at: rest.end)
      do { try rest.append(bytes) } catch {
        isRefused = true
        return
      }
    }
    guard rest.end == end else { return }
    try item.checkRead()
    item.release(for: rest)
  }
}

extension ArchiveMaker {
  /// What came of an attempt to release a snapshot before it was read.
  enum Detaching {
    /// Nothing is pinned any more, or there is no room for it.
    case impossible
    case begun
    /// In bytes.
    case done(path: String, byteCount: UInt64)
  }

  /// Copies some of what is left of a pinned database, that whose WAL has grown most.
  ///
  /// - Throws: `reading`.
  func detachSome(_ options: ArchiveOptions, _ budget: MemoryBudget) throws(BackupError) -> Detaching {
    if detachment == nil, !hasSpoolRefused { try beginDetaching(options, budget) }
    guard let detachment else { return .impossible }
    try copySome(detachment)
    guard !items[detachment.item].isPinned else { return .begun }
    return .done(path: items[detachment.item].entry.name, byteCount: detachment.byteCount)
  }

  /// Goes on with what is being copied.
  private func copySome(_ detachment: Detachment) throws(BackupError) {
    let leavesWAL = items[detachment.item].leavesWAL
    try detachment.copySome(of: &items[detachment.item])
    if detachment.isRefused { hasSpoolRefused = true }
    let isDone = !items[detachment.item].isPinned
    if isDone, leavesWAL { leftWALs.append(items[detachment.item].entry.name) }
    if isDone || detachment.isRefused { self.detachment = nil }
  }

  private func beginDetaching(_ options: ArchiveOptions, _ budget: MemoryBudget) throws(BackupError) {
    var chosen: (index: Int, growth: UInt64)?
    for index in readingItem..<max(readingItem, items.count) where items[index].isPinned {
      let growth = try items[index].walGrowth(limit: .max)
      if chosen.map({ growth > $0.growth }) ?? true { chosen = (index, growth) }
    }
    guard let chosen else { return }
    let start = chosen.index == readingItem ? readingOffset : 0
    detachment = Detachment(
      of: chosen.index, start..<items[chosen.index].entry.size, options, budget)
    // What is before is not copied.
    if detachment != nil { releaseWhatWasRead() }
  }
}
