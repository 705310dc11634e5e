import Archive
import EventLoop
import HTTP1
import SQLiteSnapshot
import System
import TestSupport
import Zip

@testable import Service

/// A registry, and archives of one file for it.
@Loop final class Reservoir {
  let lines = LogRecorder.Lines()
  let ledger = Ledger(of: "/data")
  let registry: TransferRegistry
  /// How many connections the registry has broken off.
  private(set) var brokenOff = 0
  private let folder: Folder
  /// All that it has made.
  private var transfers: [Transfer] = []

  private static let compressors: WorkerPool = {
    guard let pool = try? WorkerPool(named: "compressor") else { fatalError("no threads") }
    return pool
  }()

  init(
    slots: Int = 2, resumeGrace: Duration = .seconds(60), walGrowth: UInt64 = 100,
    slotAge: Duration = .seconds(3600)
  ) throws {
    folder = try Folder()
    try folder.write("extra")
    let limits = TransferRegistry.Limits(
      slotCount: slots, resumeGrace: resumeGrace, resumeWALGrowth: walGrowth, slotAge: slotAge)
    registry = TransferRegistry(limits, ledger)
  }

  /// A backup that has not got a slot yet.
  func record(begun: ContinuousClock.Instant = .now) throws -> BackupRecord {
    BackupRecord(
      try request("GET /api/backup?resume=x"), from: .ipv4([127, 0, 0, 1], port: 5000),
      LogRecorder.logger(lines), begun: begun)
  }

  /// An archive in a slot, whose client has not got the head yet; it may return nevertheless if it has a name for it.
  ///
  /// - Parameter watched: whether its limits are watched: then what they hold is not for a test to say.
  func transfer(
    named: Bool = true, watched: Bool = true, begun: ContinuousClock.Instant = .now
  ) async throws -> Transfer {
    let record = try record(begun: begun)
    try registry.takeSlot(record)
    let options = ArchiveOptions(
      dataDirectory: folder.path, name: "test", appVersion: "1", generator: "test",
      includes: [ArchiveOptions.Include(path: "extra", isRequired: true)], compression: .store, strict: false,
      snapshots: Snapshot.Options(busyTimeout: .zero, spoolDirectory: "/var/tmp"),
      maximumSnapshotAge: .seconds(3600), maximumWALGrowth: 1 << 30, minimumFree: .bytes(0))
    let resources = ArchiveResources(
      compressors: Self.compressors, memory: MemoryBudget(byteCount: 1 << 20),
      detached: MemoryBudget(byteCount: 0))
    let (session, preamble) = try await BackupSession.open(options, resources)
    let transfer = Transfer(
      ArchiveBytes(session, preamble, isHashed: false), record, target: "/api/backup?resume=x",
      servesParts: named, breakOff: { [weak self] in self?.brokenOff += 1 })
    transfers.append(transfer)
    ledger.recordBegin(record)
    if watched { registry.add(transfer) } else { registry.transfers.append(transfer) }
    return transfer
  }

  /// An archive whose client was lost.
  func suspended() async throws -> Transfer {
    let transfer = try await transfer()
    registry.suspend(transfer, loss: SystemError(call: "send", errno: 104))
    return transfer
  }

  /// Closes every archive: what waits for a client yet outlives a test.
  func close() async {
    for transfer in transfers { await transfer.archive.close(transfer.record) }
  }
}
