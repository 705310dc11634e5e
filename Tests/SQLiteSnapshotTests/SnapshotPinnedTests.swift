import CSQLite
import Foundation
import System
import Testing

@testable import SQLiteSnapshot

extension Snapshot {
  /// Holds a pinned database as a plain reader of SQLite does: by its mark 0 if the log is wholly checkpointed.
  fileprivate func holdByTransaction() throws {
    try connection?.execute("BEGIN; PRAGMA schema_version")
    pin?.readMark?.release()
    pin?.readMark = nil
  }
}

struct SnapshotPinnedTests {
  /// What the log and the database file hold when the snapshot is taken.
  enum Preparation: CaseIterable {
    case everythingInTheLog
    case somePagesInTheLog
    case checkpointed
    case checkpointedAndCommitted
    case emptyLog
    case grownInTheLog
    case shrunkInTheLog
    case reopened

    func prepare(_ database: inout TestDatabase, _ path: String) throws {
      if self == .everythingInTheLog { return }
      try database.run("PRAGMA wal_checkpoint(TRUNCATE)")
      switch self {
      case .everythingInTheLog, .emptyLog: break
      case .somePagesInTheLog: try Bank.transfer(database, times: 5)
      case .checkpointed:
        try Bank.transfer(database, times: 5)
        try database.run("PRAGMA wal_checkpoint(FULL)")
      case .checkpointedAndCommitted:
        try Bank.transfer(database, times: 5)
        try database.run("PRAGMA wal_checkpoint(PASSIVE)")
        try Bank.transfer(database, times: 3)
      case .grownInTheLog: try Bank.grow(database, byteCount: 300_000)
      case .shrunkInTheLog: try database.run("DELETE FROM filler WHERE id > 20; VACUUM")
      case .reopened:
        // The last to close moves the log into the database and removes it.
        database = try TestDatabase(path + ".other")
        try FileManager.default.removeItem(atPath: path + ".other")
        database = try TestDatabase(path)
        try database.run("PRAGMA wal_autocheckpoint=0")
      }
    }
  }

  @Test(arguments: [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536], Preparation.allCases)
  func `is what the writer had at the pin, page by page, whatever is committed after`(
    pageSize: Int, preparation: Preparation
  ) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    var database = try Bank.create(path, pageSize: pageSize)
    try preparation.prepare(&database, path)
    // On a connection of its own, so that the pin finds the index as the writer left it.
    let expected = try TestDatabase(path, readOnly: true).serialized()
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    #expect(snapshot.method == .pinned)
    #expect(snapshot.journalMode == "wal")
    #expect(snapshot.pageSize == pageSize)
    #expect(snapshot.size == UInt64(expected.count))

    let firstHalf = try snapshot.bytes()
    #expect(firstHalf == expected)
    for mode in ["PASSIVE", "FULL", "PASSIVE"] {
      try Bank.transfer(database, times: 2)
      try Bank.grow(database, byteCount: 20_000)
      // A pin keeps it from finishing; it must not wait for that.
      _ = try? ImpatientCheckpoint.run(path, mode)
      #expect(try snapshot.bytes() == expected)
      try snapshot.checkHold()
    }
    #expect(try snapshot.bytes(blockSize: 65536) == expected)
    #expect(try Inspection(of: expected, in: scratch) == .sound)
    #expect(try database.serialized() != expected, "commits were made")
  }

  /// A checkpoint that gives up at once.
  enum ImpatientCheckpoint {
    static func run(_ path: String, _ mode: String) throws {
      let database = try TestDatabase(path)
      try database.run("PRAGMA busy_timeout=0; PRAGMA wal_checkpoint(\(mode))")
    }
  }

  @Test(arguments: [512, 4096, 65536], [false, true])
  func `a WAL that is reset under the pin leaves the database file as the snapshot`(
    pageSize: Int, isTruncated: Bool
  ) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, pageSize: pageSize)
    let other = try OtherProcess(path)
    try Bank.transfer(database, times: 3)
    #expect(try database.text("PRAGMA wal_checkpoint(FULL)").hasPrefix("0|"))
    let expected = try database.serialized()
    let header = try other.ask("read('\(path)-wal', 32).hex()")

    // Everything is in the database file, so the pin is one on the file alone: read mark 0.
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    try snapshot.holdByTransaction()
    let before = try snapshot.read(131_072, at: 0)
    if isTruncated {
      #expect(try other.ask("checkpoint('TRUNCATE')") == "0")
      #expect(try snapshot.bytes() == expected)
      try snapshot.checkHold()
    }
    for round in 0..<3 {
      try Bank.transfer(database, times: 10)
      try Bank.grow(database, byteCount: 50_000)
      #expect(try other.ask("read('\(path)-wal', 32).hex()") != header, "started anew")
      #expect(try before + snapshot.read(expected.count - 131_072, at: 131_072) == expected, "round \(round)")
      #expect(try snapshot.bytes() == expected, "round \(round)")
      #expect(try other.ask("checkpoint('PASSIVE')") == "0")
      try snapshot.checkHold()
    }
    #expect(try Inspection(of: snapshot.bytes(), in: scratch) == .sound)
  }

  /// SQLite has one wal-index for each file, whatever name it is opened by, and one WAL for each name.
  @Test func `a WAL is not taken for empty where the file had another name when it was opened first`() throws
  {
    let scratch = try Scratch()
    let (original, path, spare) = (scratch.file("o.db"), scratch.file("a.db"), scratch.file("spare.db"))
    let database = try Bank.create(original)
    try Bank.transfer(database, times: 3)
    for suffix in ["", "-wal"] {
      try FileManager.default.copyItem(atPath: original + suffix, toPath: path + suffix)
    }
    try FileManager.default.moveItem(atPath: path, toPath: spare)
    let first = try Database(path: spare, scratch.options())
    try FileManager.default.moveItem(atPath: spare, toPath: path)
    let error = #expect(throws: SQLiteError.self) {
      try Database(path: path, scratch.options()).snapshot()
    }
    #expect(error?.reason == .unseenWriter)
    withExtendedLifetime(first) {}
  }

  @Test func `a name that leads elsewhere at the pin is no write later`() throws {
    let scratch = try Scratch()
    let (path, spare) = (scratch.file("a.db"), scratch.file("spare.db"))
    let database = try Bank.create(path)
    try Bank.transfer(database)
    let reader = try DatabaseConnection.reading(path, busyTimeout: .zero)
    try reader.execute("BEGIN; PRAGMA schema_version")
    let (file, walFile) = (try reader.databaseFile(), try reader.walFile())
    let names = try FileNames(of: BytePath(path))
    let pageSize = try reader.number("PRAGMA page_size")
    try FileManager.default.moveItem(atPath: path, toPath: spare)
    let error = #expect(throws: SQLiteError.self) {
      try PinnedState(file, walFile, names, pageSize: pageSize)
    }
    #expect(error?.reason == SQLiteError.moved.reason)
    try FileManager.default.moveItem(atPath: spare, toPath: path)
    let state = try PinnedState(file, walFile, names, pageSize: pageSize)
    try state.check(file, walFile, names)
  }

  /// SQLite's checkpoint reads the marks, and locks out the readers of the database file alone only then.
  @Test func `no mark is taken that a running checkpoint may not know`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path)
    try Bank.transfer(database, times: 3)
    try database.run("PRAGMA wal_checkpoint")
    let reader = try DatabaseConnection.reading(path, busyTimeout: .zero)
    try reader.execute("BEGIN; PRAGMA schema_version")
    let file = try reader.databaseFile()
    let index = try WALIndexHeader(of: file)
    let checkpointer = try DatabaseConnection.reading(path, busyTimeout: .zero)
    try checkpointer.execute("PRAGMA schema_version")
    let other = try checkpointer.databaseFile()
    #expect(try other.lock(PinnedState.checkpointLock, exclusively: true))
    // What the checkpoint has found is no more than what the mark protects.
    let first = try #require(try ReadMark.take(file, atLastFrameOf: index))
    // Under it the writer does not restart the WAL.
    try Bank.transfer(database)
    first.release()
    #expect(try ReadMark.take(file, atLastFrameOf: index) == nil)
    other.unlock(PinnedState.checkpointLock, exclusively: true)
    let second = try #require(try ReadMark.take(file, atLastFrameOf: index))
    second.release()
  }

  /// A writer that finds the WAL empty gives it salts of its own; if it rolls back, the index has never known them.
  @Test func `a transaction that was rolled back in an empty WAL is no other process's`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path)
    try Bank.grow(database, byteCount: 300_000)
    let writer = try TestDatabase(path)
    try writer.run("PRAGMA cache_size=5; SELECT count(*) FROM filler")
    try database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    try writer.run("BEGIN; UPDATE filler SET id = -id; ROLLBACK")
    let size = try FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? UInt64
    #expect(size ?? 0 > 100_000)
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    try snapshot.confirm()
    #expect(try Inspection(of: snapshot.bytes(), in: scratch) == .sound)
    try snapshot.checkHold()
  }

  @Test func `the wal-index takes no memory between two looks at it`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, pageSize: 4096)
    try Bank.transfer(database, times: 3)
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    #expect(try residentKibibytes(path + "-shm") == 0)
    #expect(try snapshot.isBeingCheckpointed() == false)
    try Bank.transfer(database, times: 3)
    #expect(try residentKibibytes(path + "-shm") > 0)
    try snapshot.checkHold()
    #expect(try residentKibibytes(path + "-shm") == 0)
    #expect(try snapshot.bytes() != database.serialized())
  }

  /// Of a file that is mapped: proc_pid_smaps(5).
  private func residentKibibytes(_ path: String) throws -> Int {
    let smaps = try FileSystem.openFile("/proc/self/smaps").read(atMost: 16 << 20)
    let lines = String(decoding: smaps, as: UTF8.self).split(separator: "\n")
    let mapping = try #require(lines.firstIndex { $0.hasSuffix(path) })
    let resident = try #require(lines[mapping...].first { $0.hasPrefix("Rss:") })
    return try #require(Int(resident.split(separator: " ")[1]))
  }

  /// `WAL_READ_LOCK(0)` is byte 123 of the -shm file, and those of the other marks follow: walformat.html §2.3.
  private func readLocks(_ path: String, _ other: OtherProcess) throws -> String {
    try other.ask("[locked('\(path)-shm', byte) for byte in range(123, 128)]")
  }

  @Test(arguments: [Preparation.checkpointed, .emptyLog])
  func `a wholly checkpointed log is held by a mark that checkpoints see`(preparation: Preparation) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    var database = try Bank.create(path)
    try preparation.prepare(&database, path)
    let expected = try database.serialized()
    let other = try OtherProcess()
    var snapshot: Snapshot? = try Database(path: path, scratch.options()).snapshot()
    #expect(try readLocks(path, other) == "[false, true, false, false, false]")
    // Another that is released does not release this one's.
    _ = try Database(path: path, scratch.options()).snapshot()
    #expect(try readLocks(path, other) == "[false, true, false, false, false]")
    try Bank.transfer(database, times: 1)
    let header = try other.ask("read('\(path)-wal', 32).hex()")
    for _ in 0..<3 {
      try Bank.transfer(database, times: 10)
      try Bank.grow(database, byteCount: 50_000)
      #expect(try database.text("PRAGMA wal_checkpoint(PASSIVE)").hasPrefix("0|"))
      #expect(try snapshot?.bytes() == expected)
      try snapshot?.checkHold()
    }
    #expect(try other.ask("read('\(path)-wal', 32).hex()") == header, "not restarted")
    snapshot = nil
    #expect(try readLocks(path, other) == "[false, false, false, false, false]")
    #expect(try database.text("PRAGMA wal_checkpoint(TRUNCATE)") == "0|0|0")
  }

  @Test func `where readers hold every mark, the transaction holds a wholly checkpointed log`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    var database = try Bank.create(path)
    try Preparation.checkpointed.prepare(&database, path)
    let connection = try DatabaseConnection.open(
      BytePath(path), SQLITE_OPEN_READWRITE, busyTimeout: .zero)
    #expect(try connection.number("SELECT count(*) FROM account") == 100)
    let file = try connection.databaseFile()
    for lock: Int32 in 4...7 { #expect(try file.lock(lock, exclusively: true)) }
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    for lock: Int32 in 4...7 { file.unlock(lock, exclusively: true) }
    #expect(try readLocks(path, OtherProcess()) == "[true, false, false, false, false]")
    #expect(try snapshot.bytes() == database.serialized())
  }

  @Test func `takes no frame past the last commit that was published`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path)
    try database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    try Bank.transfer(database, times: 3)
    let expected = try database.serialized()
    let other = try OtherProcess(path)
    // Page 3 with a mark at its end, and a valid checksum, as the commit of a database of as many pages.
    try other.ask("append_frame('\(path)', 3, \(expected.count / 4096), b'never published')")
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    #expect(try snapshot.bytes() == expected)

    // To whom the log is all there is, as after a crash, the frame is a commit: it was well made.
    let copy = scratch.file("recovered.db")
    try other.ask("open('\(copy)', 'wb').write(read('\(path)'))")
    try other.ask("open('\(copy)-wal', 'wb').write(read('\(path)-wal'))")
    let recovered = try TestDatabase(copy).serialized()
    #expect(String(decoding: recovered[..<(3 * 4096)].suffix(15), as: UTF8.self) == "never published")
  }

  @Test func `keeps another process from emptying the log until it is released`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path)
    let other = try OtherProcess(path, timeout: 0.05)
    var snapshot: Snapshot? = try Database(path: path, scratch.options()).snapshot()
    try Bank.transfer(database)
    #expect(try other.ask("checkpoint('TRUNCATE')") == "1", "busy")
    #expect(try other.ask("checkpoint('RESTART')") == "1")
    #expect(snapshot?.method == .pinned)
    snapshot = nil
    #expect(try other.ask("checkpoint('TRUNCATE')") == "0")
    #expect(try other.ask("len(read('\(path)-wal'))") == "0")
  }

  @Test func `leaves the database, its log and its journal mode as they are, even as the last to close`()
    throws
  {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let writer = try OtherProcess(path)
    try writer.ask("sql('PRAGMA journal_mode=WAL')")
    try writer.ask("sql('CREATE TABLE t(x)')")
    try writer.ask("sql('INSERT INTO t VALUES (42)')")
    // Without a crash the writer itself would move the log into the database.
    writer.die()
    let other = try OtherProcess()
    let before = try other.ask("digests('\(path)')")
    do {
      let snapshot = try Database(path: path, scratch.options()).snapshot()
      let restored = try scratch.write(snapshot.bytes(), to: "restored.db")
      #expect(try TestDatabase(restored).number("SELECT x FROM t") == 42)
    }
    #expect(try other.ask("digests('\(path)')") == before)
    #expect(try other.ask("read('\(path)', 2, 18).hex()") == "\"0202\"", "fileformat2.html §1.3: WAL")
    #expect(try TestDatabase(path).number("SELECT x FROM t") == 42)
  }

  @Test func `tells by how much the log has grown`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path)
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    #expect(try snapshot.walGrowth() == 0)
    let other = try OtherProcess()
    let size = { Int(try other.ask("len(read('\(path)-wal'))")) ?? -1 }
    let before = try size()
    try Bank.grow(database, byteCount: 200_000)
    #expect(try snapshot.walGrowth() > 200_000)
    #expect(try snapshot.walGrowth() == UInt64(size() - before))
  }

  @Test func `a database file that was cut short is corrupt, not a database with holes`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path)
    try database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    let other = try OtherProcess()
    try other.ask("os.truncate('\(path)', \(snapshot.size - 4096))")
    let error = #expect(throws: SQLiteError.self) { try snapshot.bytes() }
    #expect(error?.reason == .corrupt)
    #expect(throws: SQLiteError.self) { try Database(path: path, scratch.options()).snapshot() }
  }

  @Test(arguments: [0, 32, 5000])
  func `a log that was cut short is another writer's doing, even where the database file has an older page`(
    size: Int
  ) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path)
    try database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    try Bank.transfer(database, times: 3)
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    let other = try OtherProcess()
    try other.ask("os.truncate('\(path)-wal', \(size))")
    var error = #expect(throws: SQLiteError.self) { try snapshot.bytes() }
    #expect(error?.reason == .unseenWriter)
    error = #expect(throws: SQLiteError.self) { try snapshot.checkHold() }
    #expect(error?.reason == .unseenWriter)
    withExtendedLifetime(database) {}
  }

  /// What a writer may do that does not share SQLite's locks.
  enum UnseenWrite: CaseIterable {
    /// To the database file, as a checkpoint does.
    case page
    /// The same, so that the file grows.
    case newPage
    case logStartedAnew
    case indexPastThePin

    func write(_ path: String, _ other: OtherProcess) throws {
      switch self {
      case .page: try other.ask("write('\(path)', 4096, read('\(path)', 8, 4096))")
      case .newPage: try other.ask("write('\(path)', os.path.getsize('\(path)'), b'new')")
      case .logStartedAnew: try other.ask("write('\(path)-wal', 16, b'new salt')")
      case .indexPastThePin: try other.ask("write('\(path)-shm', 96, b'\\xff\\xff\\xff\\0')")
      }
    }
  }

  @Test(
    arguments: [Preparation.somePagesInTheLog, .checkpointed, .checkpointedAndCommitted, .emptyLog],
    UnseenWrite.allCases)
  func `what a writer does that does not meet the pin is noticed`(
    preparation: Preparation, write: UnseenWrite
  ) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    var database = try Bank.create(path)
    try preparation.prepare(&database, path)
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    try snapshot.checkHold()
    let other = try OtherProcess()
    // Until the file system's clock has moved on.
    let time = try other.ask("os.stat('\(path)').st_mtime_ns")
    repeat {
      try other.ask("open('\(path).clock', 'wb').close()")
    } while try other.ask(
      "os.stat('\(path).clock').st_mtime_ns") == time
    try write.write(path, other)
    let isInDatabase = preparation == .checkpointed || preparation == .emptyLog
    if isInDatabase, write == .logStartedAnew || write == .indexPastThePin {
      // The log does not matter, and may be started anew.
      try snapshot.checkHold()
    } else {
      let error = #expect(throws: SQLiteError.self) { try snapshot.checkHold() }
      #expect(error?.reason == .unseenWriter)
    }
    withExtendedLifetime(database) {}
  }

  @Test func `a log that the index knows nothing of is not taken for a damaged one`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path)
    let other = try OtherProcess()
    try other.ask("write('\(path)-wal', 16, b'new salt')")
    let error = #expect(throws: SQLiteError.self) { try Database(path: path, scratch.options()).snapshot() }
    #expect(error?.reason == .unseenWriter)
    withExtendedLifetime(database) {}
  }

  @Test func `a state that was found within a tick of a write is found out again`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, pageSize: 4096)
    try database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    // How soon the pin comes after the write is up to the machine.
    var snapshot: Snapshot
    repeat {
      try FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: path)
      snapshot = try Database(path: path, scratch.options()).snapshot()
    } while snapshot.pin?.state?.isSettled == true
    #expect(snapshot.pin?.state?.isSettled == false)
    try snapshot.confirm()
    #expect(snapshot.pin?.state?.isSettled == true)
    #expect(try snapshot.bytes() == database.serialized())
    try snapshot.checkHold()
  }

  @Test func `confirming a pinned snapshot moves nothing`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path)
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    let takenAt = snapshot.takenAt
    try snapshot.confirm()
    #expect(snapshot.takenAt == takenAt)
    withExtendedLifetime(database) {}
  }

  @Test(arguments: [4096, 65536])
  func `the page with the lock byte is zeros, its neighbours are not`(pageSize: Int) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    do { _ = try Bank.create(path, pageSize: pageSize, byteCount: 1000) }
    // A database of more than 1 GiB, most of it a hole.
    let lockByte: UInt64 = 1 << 30
    let file = try #require(FileHandle(forUpdatingAtPath: path))
    for offset in stride(from: lockByte - 4, to: lockByte + UInt64(pageSize) + 4, by: 4) {
      try file.seek(toOffset: offset)
      try file.write(contentsOf: [1, 2, 3, 4])
    }
    let pageCount = lockByte / UInt64(pageSize) + 20
    try file.truncate(atOffset: pageCount * UInt64(pageSize))
    try file.seek(toOffset: 28)
    try file.write(contentsOf: (0..<4).map { UInt8(truncatingIfNeeded: pageCount >> (24 - 8 * $0)) })
    try file.close()

    let snapshot = try Database(path: path, scratch.options()).snapshot()
    #expect(UInt64(snapshot.pageCount) == pageCount)
    let before = try snapshot.read(262_144, at: lockByte - 262_144)
    #expect(before.suffix(8) == [0, 0, 0, 0, 1, 2, 3, 4])
    let block = try snapshot.read(262_144, at: lockByte)
    #expect(block[..<pageSize].allSatisfy { $0 == 0 })
    #expect(block[pageSize..<pageSize + 8].elementsEqual([1, 2, 3, 4, 0, 0, 0, 0]))
    let around = try snapshot.read(4 * pageSize, at: lockByte - UInt64(2 * pageSize))
    #expect(around[2 * pageSize - 1] == 4)
    #expect(around[2 * pageSize..<3 * pageSize].allSatisfy { $0 == 0 })
    #expect(around[3 * pageSize] == 1)
  }
}
