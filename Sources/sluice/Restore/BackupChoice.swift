import Pull
import System

/// In which order backups are tried, and why one is not the first although it is newer.
struct BackupChoice {
  /// More are not tried: a store of which so many do not verify needs a person.
  static let maximumAttempts = 10

  /// Those that count, and no others.
  let newestFirst: [BackupStore.Backup]
  private let limit: Timestamp
  /// The best first.
  let order: [BackupStore.Backup]
  /// Newer than the first, each with the reason why it comes later.
  let passedOver: [(backup: BackupStore.Backup, reason: String)]

  /// Whole ones come first, the newest of them before the others; then those that are known to lack something; at the end
  /// what is dated in the future, whose time says nothing.
  ///
  /// - Parameters:
  ///   - newestFirst: of one series.
  ///   - at: only these at or before it count, and one of exactly that time comes first, whatever it is.
  ///   - now: what is later is dated in the future, unless `at` is later still.
  init(_ newestFirst: [BackupStore.Backup], at: Timestamp?, now: Timestamp) {
    let present = newestFirst.filter { at == nil || $0.name.time <= at ?? now }
    let limit = max(now, at ?? now)
    self.newestFirst = present
    self.limit = limit
    func rank(_ backup: BackupStore.Backup) -> Int {
      if backup.name.time == at { return 0 }
      return backup.name.time > limit ? 3 : backup.word == nil ? 1 : 2
    }
    // Stable: each rank stays the newest first.
    let order = (0...3).flatMap { each in present.filter { rank($0) == each } }
    self.order = order
    passedOver = present.prefix { $0 != order.first }.map { backup in
      let word = backup.name.time > limit ? "dated in the future" : backup.word ?? "newer"
      return (backup, "\(word); --at \(backup.name.time.seconds) takes it")
    }
  }

  /// What a list says of one.
  func line(for backup: BackupStore.Backup) -> String {
    let words = [
      backup.size.map { shortSize($0) }, backup.word,
      backup.name.time > limit ? "dated in the future" : nil,
    ].compactMap { $0 }
    return ([backup.file, backup.name.time.seconds] + words).joined(separator: "  ")
  }
}
