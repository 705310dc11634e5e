import Delta
import System
import Zip

extension BackupSession {
  /// How many units are compared before the first byte, to judge what a delta would save.
  private static let sampleSize: UInt64 = 100
  /// The greatest part of the sample that may have changed: with more, the archive itself is sent.
  private static let maximumChangedPart = 0.8

  /// The archive that a delta is made from.
  ///
  /// - Parameter state: of what goes in now: a client that has an archive of it needs none.
  /// - Returns: nil if the client gets the archive itself.
  func base(
    for request: Request, _ state: String, _ inventory: Inventory
  ) throws(BackupError) -> ArchiveHistory? {
    guard options.compression == .store, let histories = resources.histories, let asked = request.delta,
      !asked.bases.contains(where: { $0.utf8.starts(with: "\(state)-".utf8) }),
      let base = histories.newest(of: historyName(request), among: asked.bases)
    else { return nil }
    // Without content there is nothing to compare.
    guard request.needsContent else { return base }
    return try isWorthwhile(base, inventory.items) ? base : nil
  }

  /// Begins the history of an archive.
  ///
  /// - Parameters:
  ///   - tag: of the archive.
  ///   - size: in bytes; nil if it is not stored.
  ///   - base: whose digests it is compared by.
  func begin(
    _ tag: String, _ size: UInt64?, _ base: ArchiveHistory?, _ request: Request
  ) -> HistoryWriter? {
    guard let histories = resources.histories, let size, request.keepsHistory, request.needsContent else {
      return nil
    }
    do throws(SystemError) {
      return try histories.begin(historyName(request), tag: tag, contentSize: size, base?.hash)
    } catch {
      historyFailure = error
      return nil
    }
  }

  private func historyName(_ request: Request) -> String {
    Histories.request(dataDirectory: options.dataDirectory, databases: request.databases)
  }

  /// Whether a delta would be clearly smaller than the archive, by a sample of its units: one at random in each of so many
  /// parts of one size.
  private func isWorthwhile(_ base: ArchiveHistory, _ items: [ArchiveItem]) throws(BackupError) -> Bool {
    let total = items.reduce(0) { $0 + unitCount($1) }
    let sampleCount = min(Self.sampleSize, total)
    var changed = 0
    var (index, first): (Int, UInt64) = (0, 0)
    for sample in 0..<sampleCount {
      let (lower, upper) = (total * sample / sampleCount, total * (sample + 1) / sampleCount)
      let unit = UInt64.random(in: lower..<upper)
      while unit - first >= unitCount(items[index]) {
        first += unitCount(items[index])
        index += 1
      }
      let item = items[index]
      let bytes = try item.unit(at: (unit - first) * UInt64(UnitHash.unitSize))
      if let member = base.member(item.entry.name), member.byteCount(ofUnit: unit - first) == bytes.count,
        base.matches(unit - first, of: member, base.hash.digests(of: bytes), at: 0)
      {
        continue
      }
      changed += 1
    }
    return Double(changed) <= Self.maximumChangedPart * Double(sampleCount)
  }

  private func unitCount(_ item: ArchiveItem) -> UInt64 {
    (item.entry.size + UInt64(UnitHash.unitSize) - 1) / UInt64(UnitHash.unitSize)
  }
}
