import Archive
import Pull
import Restore
import System

/// The rule of `sluice keep`, for engines, which do not know what is in an archive: while a database is gone, no old backup is
/// removed.
extension StreamedPull {
  /// Compares the archive that the destinations have with the last good one, and names what is gone.
  ///
  /// - Returns: whether old backups must stay.
  mutating func judgeDatabases() -> Bool {
    guard let kept else { return false }
    let hasTiers = !options.tiers.isEmpty
    guard let directory = options.recordDirectory else {
      if hasTiers, options.destinations.contains(where: \.removesOld) {
        printError(
          "sluice: warning: nothing remembers which databases this backup has, so old ones are removed although one is "
            + "gone: set STATE_DIRECTORY to a directory of this pull")
      }
      return false
    }
    let inventory = try? RecordFile.read(
      ArchiveInventory.self, work.file("inventory"), atMost: ArchiveInventory.maximumSize)
    guard let inventory else {
      return hasTiers && keepsOld("nothing is removed: which databases it has cannot be read")
    }
    if let good = PullRecord.read(in: directory, of: options.series)?.lastGood {
      let gone = inventory.lacks(good.databases, gone: Exclusion(options.gone))
      if !gone.isEmpty {
        let loss = Retention.Loss(
          archive: BytePath(kept.path), good: BytePath(good.file), databases: gone)
        return hasTiers && keepsOld(loss.said)
      }
    }
    if kept.worth == .whole {
      self.kept?.good = PullRecord.Good(file: kept.path, databases: inventory.databases.sorted())
    }
    return false
  }

  private mutating func keepsOld(_ reason: String) -> Bool {
    guard let kept else { return true }
    let said = "\(kept.path) is kept, but \(reason)"
    printError("sluice: \(printable("\(options.url.shown): \(said)"))")
    // The names of a destination that failed, and of what is missing, stand in the journal.
    self.kept?.detail = kept.detail.isEmpty ? said : "\(said); \(kept.detail)"
    return true
  }
}
