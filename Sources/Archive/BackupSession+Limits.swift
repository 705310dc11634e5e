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
    /// Whether a file system that a WAL grows on has less than twice the room that it must keep.
    var isSpaceTight = false
  }

  /// The share of a limit from which on it is compared with what has been read.
  private static let detachingShare = 0.25

  /// Checks the limits every second, or four times as often while a WAL grows, and returns once no database is pinned any
  /// more. When a limit would be passed before the client has all, what is left of the databases is copied into the spool
  /// directory as far as there is room for it, and their snapshots are released. It belongs beside the calls of `next`, which a client may keep from being made.
  ///
  /// - Parameters:
  ///   - pause: waits for so long, and returns true at once when the session is over.
  ///   - observe: receives what was seen; nil at the end.
  ///   - detached: receives the path of a database that is released before the client has it, and how many bytes were copied.
  /// - Throws: `snapshotTooOld`, `walGrewTooMuch`, `spaceLow`, as soon as a limit is passed; the snapshots are released by
  ///   then, whatever the client does.
  package nonisolated func watchLimits(
    pause: (Duration) async -> Bool, observe: (Hold?) -> Void = { _ in },
    detached: (String, UInt64) -> Void = { _, _ in }
  ) async throws(BackupError) {
    defer { observe(nil) }
    while let hold = try await checkLimits() {
      observe(hold)
      switch try await detachSome(hold) {
      case .done(let path, let byteCount):
        detached(path, byteCount)
        continue
      case .begun: continue
      case .impossible: break
      }
      if await pause(hold.walGrowth > 0 ? Self.growthInterval : Self.limitInterval) { return }
    }
  }

  private func detachSome(_ hold: Hold) throws(BackupError) -> ArchiveMaker.Detaching {
    guard failure == nil, let maker, maker.detachment != nil || isDetachingDue(hold, maker) else {
      return .impossible
    }
    do { return try maker.detachSome(options, resources.detached) } catch { throw fail(error) }
  }

  /// Whether a limit would be passed before the end, if all went on as it did so far.
  private func isDetachingDue(_ hold: Hold, _ maker: ArchiveMaker) -> Bool {
    let used = max(
      Double(hold.walGrowth) / Double(max(1, options.maximumWALGrowth)),
      (ContinuousClock.now - begun) / options.maximumSnapshotAge)
    let size = maker.items.reduce(0) { $0 + $1.entry.size }
    return hold.isSpaceTight
      || used >= Self.detachingShare && used > Double(maker.bytesRead) / Double(max(1, size))
  }

  /// - Returns: nil if no database is pinned.
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
    for item in items where item.isPinned {
      let growth = try item.walGrowth(limit: options.maximumWALGrowth)
      wals.append((item.entry.name, growth, growth > 0 ? item.walSpace : nil))
    }
    guard let largestGrowth = wals.map(\.growth).max() else { return nil }
    try options.minimumFree.check(wals)
    guard ContinuousClock.now - begun <= options.maximumSnapshotAge else {
      throw .snapshotTooOld(limit: options.maximumSnapshotAge)
    }
    return Hold(
      since: begun, walGrowth: largestGrowth, totalWALGrowth: wals.reduce(0) { $0 + $1.growth },
      isSpaceTight: (try? options.minimumFree.check(wals, margin: 2)) == nil)
  }

  /// Whether an application is at a checkpoint of one of the databases that are held. One that is seen at it time and again
  /// waits for them to be released.
  package var isBeingCheckpointed: Bool { maker?.items.contains { $0.isBeingCheckpointed } ?? false }
}
