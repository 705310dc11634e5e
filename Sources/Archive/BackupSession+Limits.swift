import System
import Zip

extension BackupSession {
  /// How often the limits of held snapshots are checked while the client takes nothing.
  private static let limitInterval = Duration.seconds(1)
  /// The same while a WAL grows, which may fill its file system.
  private static let growthInterval = Duration.milliseconds(250)

  /// What holding the snapshots costs the application.
  package struct Hold: Sendable {
    /// Since when the first of them has been held.
    package let since: ContinuousClock.Instant
    /// By how many bytes the WALs have grown meanwhile: that of the one which grew most.
    package let walGrowth: UInt64
    /// The same of all of them together.
    package let totalWALGrowth: UInt64
  }

  /// Checks the limits every second, or four times as often while a WAL grows, and returns once no snapshot is held any
  /// more. It belongs beside the calls of `next`, which a client may keep from being made.
  ///
  /// - Parameters:
  ///   - pause: waits for so long, and returns true at once when the session is over.
  ///   - observe: receives what was seen; nil at the end.
  /// - Throws: `snapshotTooOld`, `walGrewTooMuch`, `spaceLow`, as soon as a limit is passed; the snapshots are released by
  ///   then, whatever the client does.
  package nonisolated func watchLimits(
    pause: (Duration) async -> Bool, observe: (Hold?) -> Void = { _ in }
  ) async throws(BackupError) {
    defer { observe(nil) }
    while let hold = try await checkLimits() {
      observe(hold)
      if await pause(hold.walGrowth > 0 ? Self.growthInterval : Self.limitInterval) { return }
    }
  }

  /// - Returns: nil if no snapshot is held.
  private func checkLimits() throws(BackupError) -> Hold? {
    guard failure == nil, let maker else { return nil }
    if maker.isRewindable {
      // What is held only so that it can be made again is no reason to end the session.
      do {
        if try isInTheWay(maker) { maker.releaseWhatWasRead() }
        return try hold(maker.items)
      } catch {
        maker.releaseWhatWasRead()
      }
    }
    do { return try hold(maker.items) } catch { throw fail(error) }
  }

  /// Whether what was read to its end, and is held only so that it can be made again, costs an application too much. A
  /// checkpoint that is seen twice in a row waits for it.
  private func isInTheWay(_ maker: ArchiveMaker) throws(BackupError) -> Bool {
    guard let maximumHeldWALGrowth else { return false }
    let isBeingCheckpointed = maker.isReadBeingCheckpointed
    defer { wasReadBeingCheckpointed = isBeingCheckpointed }
    return try maker.walGrowthOfWhatWasRead() > maximumHeldWALGrowth
      || isBeingCheckpointed && wasReadBeingCheckpointed
  }

  private func hold(_ items: [ArchiveItem]) throws(BackupError) -> Hold? {
    var wals: [(path: String, growth: UInt64, space: FileSystemSpace?)] = []
    for item in items where item.isDatabase {
      let growth = try item.walGrowth(limit: options.maximumWALGrowth)
      wals.append((item.entry.name, growth, growth > 0 ? item.walSpace : nil))
    }
    guard let largestGrowth = wals.map(\.growth).max() else { return nil }
    try options.minimumFree.check(wals)
    guard ContinuousClock.now - begun <= options.maximumSnapshotAge else {
      throw .snapshotTooOld(limit: options.maximumSnapshotAge)
    }
    return Hold(since: begun, walGrowth: largestGrowth, totalWALGrowth: wals.reduce(0) { $0 + $1.growth })
  }

  /// Whether an application is at a checkpoint of one of the databases that are held. One that is seen at it time and again
  /// waits for them to be released.
  package var isBeingCheckpointed: Bool { maker?.items.contains { $0.isBeingCheckpointed } ?? false }
}
