import System
import TestSupport
import CSQLite
import Foundation
import SQLiteSnapshot
import Zip

@testable import Archive

extension Folder {
  /// Makes a database with a table of so many rows of 1000 random bytes.
  func database(_ name: String, journalMode: String = "wal", rows: Int = 10) throws {
    try write(name, [])
    try execute(
      """
      PRAGMA journal_mode=\(journalMode); PRAGMA synchronous=OFF; CREATE TABLE t (b);
      WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < \(rows))
      INSERT INTO t SELECT randomblob(1000) FROM n;
      """, in: name)
  }

  /// Runs statements in a database.
  func execute(_ sql: String, in name: String) throws {
    var handle: OpaquePointer?
    guard sqlite3_open(url.appending(path: name).path, &handle) == SQLITE_OK else {
      throw CocoaError(.fileWriteUnknown)
    }
    defer { sqlite3_close(handle) }
    guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw CocoaError(.fileWriteUnknown) }
  }

  private static let compressors: WorkerPool = {
    guard let pool = try? WorkerPool(named: "compressor") else { fatalError("no threads") }
    return pool
  }()

  /// Options for this directory that a test may change.
  func options(compression: Compression = .fast) -> ArchiveOptions {
    ArchiveOptions(
      dataDirectory: path, name: "test", appVersion: "1.2.3", generator: "sluice test",
      includes: [ArchiveOptions.Include(path: "extra", isRequired: false)], compression: compression,
      strict: false,
      snapshots: Snapshot.Options(
        busyTimeout: .milliseconds(50), spoolDirectory: "/var/tmp"),
      maximumSnapshotAge: .seconds(3600), maximumWALGrowth: 1 << 30, minimumFree: .bytes(0))
  }

  var memory: MemoryBudget { MemoryBudget(byteCount: 64 << 20) }

  var resources: ArchiveResources { resources(detached: 0) }

  /// - Parameter detached: what may be copied of databases that are released before they are read, in bytes.
  func resources(detached: UInt64) -> ArchiveResources {
    ArchiveResources(
      compressors: Self.compressors, memory: memory, detached: MemoryBudget(byteCount: detached))
  }
}
