import Archive
import EventLoop
import System

/// Looks after the snapshots that are held for a client that was lost: they must not be in an application's way.
@Loop struct SuspensionWatch {
  /// How often it is looked whether they are.
  private static let interval = Duration.milliseconds(100)
  /// They are if so many looks in a row find a checkpoint under way: one that waits for no reader is not seen so often.
  private static let maximumCheckpointsSeen = 3

  /// Why a suspended transfer is discarded before its time.
  enum Reason: Equatable {
    /// In bytes, since the client was lost.
    case walGrowth(UInt64)
    case checkpoint

    /// For programs.
    var word: String { self == .checkpoint ? "checkpoint" : "wal-growth" }

    /// For people.
    var detail: String {
      switch self {
      case .walGrowth(let byteCount):
        "the WALs have grown by \(counted(byteCount, "byte")) since the client was lost"
      case .checkpoint: "an application's checkpoint waits for its snapshots"
      }
    }
  }

  private let transfer: Transfer
  private let deadline: ContinuousClock.Instant
  private let maximumWALGrowth: UInt64

  init(_ transfer: Transfer, until deadline: ContinuousClock.Instant, walGrowth: UInt64) {
    self.transfer = transfer
    self.deadline = deadline
    maximumWALGrowth = walGrowth
  }

  /// Returns when the client has returned, the time is over, or an application needs the snapshots released.
  ///
  /// - Returns: nil if no application needs it.
  func end() async -> Reason? {
    var walGrowthWhenLost = transfer.record.hold?.totalWALGrowth ?? 0
    var checkpointsSeen = 0
    while transfer.state.deadline == deadline, ContinuousClock.now < deadline {
      _ = await transfer.changed.wait(until: min(deadline, .now + Self.interval))
      checkpointsSeen = await transfer.archive.isBeingCheckpointed() ? checkpointsSeen + 1 : 0
      let growth = transfer.record.hold?.totalWALGrowth ?? 0
      // Fewer are held once what was read has been released.
      walGrowthWhenLost = min(walGrowthWhenLost, growth)
      if growth - walGrowthWhenLost > maximumWALGrowth { return .walGrowth(growth - walGrowthWhenLost) }
      if checkpointsSeen == Self.maximumCheckpointsSeen { return .checkpoint }
    }
    return nil
  }
}
