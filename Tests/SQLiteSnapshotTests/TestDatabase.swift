import System
import CSQLite
import Foundation

@testable import SQLiteSnapshot

/// A folder of a test's own, removed at the end. No part of its path is a link.
final class Scratch {
  let path: String

  init() throws {
    path =
      "\(FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path)/sluice-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }

  func write(_ bytes: [UInt8], to name: String) throws -> String {
    try Data(bytes).write(to: URL(filePath: file(name)))
    return file(name)
  }

  /// A folder for the copies that do not fit into the budget.
  func spool() throws -> String {
    try FileManager.default.createDirectory(atPath: file("spool"), withIntermediateDirectories: true)
    return file("spool")
  }

  func options(busyTimeout: Duration = .seconds(20), budget: UInt64 = 1 << 30) throws -> SnapshotSettings {
    SnapshotSettings(
      busyTimeout: busyTimeout, memory: MemoryBudget(byteCount: budget), spoolDirectory: try spool())
  }
}

/// The options of a snapshot, and what its copy may take.
struct SnapshotSettings {
  var busyTimeout: Duration
  var memory: MemoryBudget
  var spoolDirectory: String

  var options: Snapshot.Options {
    Snapshot.Options(busyTimeout: busyTimeout, spoolDirectory: spoolDirectory)
  }
}

// The paths of tests are text.

extension Database {
  convenience init(path: String, _ settings: SnapshotSettings) throws(SQLiteError) {
    try self.init(path: BytePath(path), settings.options, settings.memory)
  }
}

extension PlainFile {
  convenience init(path: String) throws(SQLiteError) { try self.init(path: BytePath(path)) }
}

extension PlainCopy {
  convenience init?(
    of file: PlainFile, byteCount: UInt64, _ settings: SnapshotSettings, isSame: () -> Bool
  ) throws(SQLiteError) {
    try self.init(
      of: file, byteCount: byteCount, settings.options, settings.memory, isSame: isSame)
  }
}

extension FileNames {
  init(of path: String) throws(SQLiteError) { try self.init(of: BytePath(path)) }

  static func isJournalInUse(_ path: String) throws(SQLiteError) -> Bool {
    try isJournalInUse(BytePath(path))
  }
}

extension DatabaseConnection {
  static func reading(_ path: String, busyTimeout: Duration) throws(SQLiteError) -> DatabaseConnection {
    try reading(BytePath(path), busyTimeout: busyTimeout)
  }
}

/// A connection of the application's: it reads and writes.
final class TestDatabase {
  private let handle: OpaquePointer

  init(_ path: String, readOnly: Bool = false) throws {
    var opened: OpaquePointer?
    let flags = readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
    let code = sqlite3_open_v2(path, &opened, flags, nil)
    guard code == SQLITE_OK, let opened = opened else {
      throw SQLiteError(code: code, message: "cannot open \(path)")
    }
    handle = opened
    sqlite3_busy_timeout(handle, 20_000)
  }

  deinit { sqlite3_close_v2(handle) }

  func run(_ sql: String) throws { _ = try rows(sql) }

  func text(_ sql: String) throws -> String { try rows(sql).first ?? "" }

  func number(_ sql: String) throws -> Int { Int(try text(sql)) ?? 0 }

  /// Every row of every statement, its columns joined by bars.
  func rows(_ sql: String) throws -> [String] {
    let result = Rows()
    var message: UnsafeMutablePointer<CChar>?
    let code = sqlite3_exec(
      handle, sql,
      { context, count, values, _ in
        guard let context = context else { return 1 }
        let texts = (0..<Int(count)).map { column in
          values?[column].map { String(cString: $0) } ?? "NULL"
        }
        Unmanaged<Rows>.fromOpaque(context).takeUnretainedValue().all.append(
          texts.joined(separator: "|"))
        return 0
      }, Unmanaged.passUnretained(result).toOpaque(), &message)
    defer { sqlite3_free(message) }
    guard code == SQLITE_OK else {
      let words = message.map { String(cString: $0) } ?? ""
      throw SQLiteError(code: code, message: "\(words) in: \(sql)")
    }
    return result.all
  }

  private final class Rows { var all: [String] = [] }

  /// The database as this connection sees it, page by page: what a snapshot of this moment must be.
  ///
  /// The corresponding C function is `sqlite3_serialize`.
  func serialized() throws -> [UInt8] {
    var size: sqlite3_int64 = 0
    guard let bytes = sqlite3_serialize(handle, "main", &size, 0) else {
      guard try number("PRAGMA page_count") == 0 else {
        throw SQLiteError(code: SQLITE_NOMEM, message: "cannot serialize")
      }
      return []
    }
    defer { sqlite3_free(bytes) }
    return Array(UnsafeBufferPointer(start: bytes, count: Int(size)))
  }
}

/// A table of accounts whose balances always add up to the same, and one to give the database its size.
enum Bank {
  static let total = 100_000

  static func create(
    _ path: String, pageSize: Int = 4096, journalMode: String = "WAL", byteCount: Int = 400_000
  ) throws -> TestDatabase {
    let database = try TestDatabase(path)
    try database.run(
      """
      PRAGMA page_size=\(pageSize);
      PRAGMA journal_mode=\(journalMode);
      PRAGMA wal_autocheckpoint=0;
      PRAGMA synchronous=OFF;
      BEGIN;
      CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
      CREATE TABLE filler(id INTEGER PRIMARY KEY, content BLOB);
      CREATE INDEX account_balance ON account(balance);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
        INSERT INTO account SELECT i, \(total / 100) FROM n;
      COMMIT
      """)
    try grow(database, byteCount: byteCount)
    return database
  }

  static func grow(_ database: TestDatabase, byteCount: Int) throws {
    try database.run(
      """
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(byteCount / 1000))
        INSERT INTO filler(content) SELECT randomblob(1000) FROM n
      """)
  }

  /// Moves money in as many transactions.
  static func transfer(_ database: TestDatabase, times: Int = 1) throws {
    for _ in 0..<times {
      try database.run(
        """
        BEGIN IMMEDIATE;
        UPDATE account SET balance = balance - 7 WHERE id = (SELECT id FROM account ORDER BY random() LIMIT 1);
        UPDATE account SET balance = balance + \(total) - (SELECT sum(balance) FROM account)
          WHERE id = (SELECT id FROM account ORDER BY random() LIMIT 1);
        UPDATE filler SET content = randomblob(1000) WHERE id = (SELECT id FROM filler ORDER BY random() LIMIT 1);
        COMMIT
        """)
    }
  }
}

extension Snapshot {
  /// The whole of it, read in blocks as a backup does.
  func bytes(blockSize: Int = 256 * 1024) throws(SQLiteError) -> [UInt8] {
    var all: [UInt8] = []
    while UInt64(all.count) < size {
      all += try read(min(blockSize, Int(size) - all.count), at: UInt64(all.count))
    }
    return all
  }
}

/// What SQLite itself says of a snapshot's bytes, opened as a file of their own.
struct Inspection: Equatable {
  var integrity: String
  var total: Int

  static let sound = Inspection(integrity: "ok", total: Bank.total)

  init(integrity: String, total: Int) {
    self.integrity = integrity
    self.total = total
  }

  init(of bytes: [UInt8], in scratch: Scratch) throws {
    let path = try scratch.write(bytes, to: "restored-\(UUID().uuidString).db")
    let database = try TestDatabase(path)
    integrity = try database.rows("PRAGMA integrity_check").joined(separator: "; ")
    total = try database.number("SELECT sum(balance) FROM account")
  }
}
