import CSQLite
import Foundation
import System
import TestSupport
import Testing

@testable import SQLiteSnapshot

/// What is read ahead of a copy, without a lock, and what becomes of it until the copy is made.
@Suite(.timeLimit(.minutes(15)))
struct DatabaseCopyTests {
  static let budgets = SnapshotCopiedTests.budgets
  let team = ThreadTeam(named: "copy", count: 3)

  private func file(_ path: String) throws -> [UInt8] { try [UInt8](Data(contentsOf: URL(filePath: path))) }

  /// Reads a database ahead, lets something happen to it, and takes the snapshot.
  private func snapshot(
    of path: String, _ settings: SnapshotSettings, meanwhile: () throws -> Void
  ) throws -> Snapshot {
    let opened = try Database(path: path, settings)
    try opened.readAhead(from: 0, team)
    try meanwhile()
    return try opened.snapshot(team)
  }

  @Test(arguments: [512, 4096, 65536], budgets)
  func `has what was committed after it was read ahead`(pageSize: Int, budget: UInt64) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, pageSize: pageSize, journalMode: "DELETE", byteCount: 5_000_000)
    let copy = try snapshot(of: path, scratch.options(budget: budget)) {
      try Bank.transfer(database, times: 20)
    }
    #expect(copy.pageSize == pageSize)
    #expect(try copy.bytes() == file(path))
    #expect(try Inspection(of: copy.bytes(), in: scratch) == .sound)
  }

  static let changes = [
    "INSERT INTO filler(content) SELECT randomblob(1000) FROM filler",
    "DELETE FROM filler; VACUUM",
    "DELETE FROM filler WHERE id % 2; VACUUM",
    "PRAGMA page_size=1024; VACUUM",
    "PRAGMA page_size=32768; VACUUM",
    "PRAGMA page_size=512; INSERT INTO filler(content) SELECT randomblob(3000) FROM filler; VACUUM",
  ]

  @Test(arguments: changes, budgets)
  func `has the size and the pages that a change has given the database since`(change: String, budget: UInt64)
    throws
  {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, journalMode: "DELETE", byteCount: 5_000_000)
    let copy = try snapshot(of: path, scratch.options(budget: budget)) { try database.run(change) }
    #expect(try copy.bytes() == file(path))
    #expect(try Inspection(of: copy.bytes(), in: scratch) == .sound)
  }

  @Test(arguments: budgets)
  func `what is torn does not stay`(budget: UInt64) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, journalMode: "DELETE", byteCount: 5_000_000)
    // Of a transaction that is rolled back, pages in the file meanwhile.
    let writer = try OtherProcess(path)
    try writer.ask("[db.execute(s) for s in ('PRAGMA cache_size=5', 'BEGIN IMMEDIATE')][0].rowcount")
    let opened = try Database(path: path, scratch.options(budget: budget))
    try writer.ask("db.execute('UPDATE filler SET content=randomblob(1000)').rowcount")
    let before = try writer.ask("digests('\(path)')[0]")
    try opened.readAhead(from: 0, team)
    try writer.ask("db.execute('ROLLBACK').rowcount")
    #expect(try writer.ask("digests('\(path)')[0]") != before, "nothing had reached the file")
    let copy = try opened.snapshot(team)
    #expect(try copy.bytes() == file(path))
    #expect(try Inspection(of: copy.bytes(), in: scratch) == .sound)
    withExtendedLifetime(database) {}
  }

  @Test func `the journal of a writer with a lock of its own is no crashed one's later either`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE")
    let writer = try OtherProcess()
    let opened = try Database(path: path, scratch.options(busyTimeout: .milliseconds(10)))
    try opened.readAhead(from: 0, team)
    try writer.ask("connect('file:\(path)?vfs=unix-dotfile')")
    try writer.ask(
      "[db.execute(s) for s in ('PRAGMA cache_size=5', 'BEGIN', 'UPDATE filler SET content=randomblob(1000)')][0].rowcount"
    )
    let error = #expect(throws: SQLiteError.self) { _ = try opened.snapshot(team) }
    #expect(error?.reason == .unseenWriter)
    writer.die()
  }

  @Test func `the journal of a writer that crashed meanwhile is left alone`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE")
    let writer = try OtherProcess(path)
    let error = #expect(throws: SQLiteError.self) {
      _ = try snapshot(of: path, scratch.options()) {
        try writer.ask(
          "[db.execute(s) for s in ('PRAGMA cache_size=5', 'BEGIN', 'UPDATE filler SET content=randomblob(1000)')][0].rowcount"
        )
        writer.die()
      }
    }
    #expect(error?.reason == .hotJournal)
  }

  @Test(arguments: [true, false])
  func `a schema that cannot be read is no damage, also if it changes meanwhile`(needsContent: Bool) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, journalMode: "DELETE")
    try database.run(
      "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql='CREATE TABLE (' WHERE name='account'")
    let opened = try Database(path: path, scratch.options())
    try database.run("PRAGMA schema_version=1000")
    let snapshot = try opened.snapshot(needsContent: needsContent, team)
    if needsContent { #expect(try snapshot.bytes() == file(path)) }
    #expect(snapshot.size == UInt64(try file(path).count))
  }

  @Test(arguments: [true, false])
  func `a database that was cut short meanwhile is corrupt`(needsContent: Bool) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE")
    let opened = try Database(path: path, scratch.options())
    let size = try file(path).count
    try FileHandle(forWritingTo: URL(filePath: path)).truncate(atOffset: UInt64(size - 8192))
    let error = #expect(throws: SQLiteError.self) {
      _ = try opened.snapshot(needsContent: needsContent, team)
    }
    #expect(error?.reason == .corrupt)
  }

  @Test(arguments: budgets)
  func `is of one instant beside a writer that commits all the while`(budget: UInt64) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE", byteCount: 20_000_000)
    let writer = try OtherProcess()
    let options = try scratch.options(budget: budget)
    try writer.tell("transfer_for_ever('\(path)', 5, 0.002)")
    #expect(try writer.answer() == "\"ready\"")
    for _ in 0..<6 {
      var opened: Database?
      while opened == nil {
        do { opened = try Database(path: path, options) } catch {
          guard error.reason == .locked else { throw error }
        }
      }
      try opened?.readAhead(from: 0, team)
      let copy = try #require(opened).snapshot(team)
      #expect(try Inspection(of: copy.bytes(), in: scratch) == .sound)
    }
    writer.die()
  }

  @Test(arguments: budgets)
  func `a database that is switched to WAL mode meanwhile is pinned`(budget: UInt64) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, journalMode: "DELETE", byteCount: 3_000_000)
    let options = try scratch.options(budget: budget)
    let copy = try snapshot(of: path, options) {
      try database.run("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0")
      try Bank.transfer(database, times: 3)
    }
    let expected = try database.serialized()
    try Bank.transfer(database)
    #expect((copy.method, copy.journalMode) == (.pinned, "wal"))
    #expect(try copy.bytes() == expected)
    try copy.checkHold()
    #expect(options.memory.has(budget), "what was read ahead is given back")
  }

  @Test func `an empty database that gets content meanwhile has it, and the other way round`() throws {
    let scratch = try Scratch()
    let path = try scratch.write([], to: "a.db")
    var copy = try snapshot(of: path, scratch.options()) {
      _ = try Bank.create(path, journalMode: "DELETE", byteCount: 3_000_000)
    }
    #expect(try copy.bytes() == file(path))
    #expect(try Inspection(of: copy.bytes(), in: scratch) == .sound)
    copy = try snapshot(of: path, scratch.options()) { #expect(truncate(path, 0) == 0) }
    #expect((copy.size, copy.pageCount) == (0, 0))
    #expect(try copy.bytes() == [])
  }

  @Test func `takes of the budget what the copy has in memory, and goes to the spool when it outgrows it`()
    throws
  {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, journalMode: "DELETE", byteCount: 3_000_000)
    let size = UInt64(try file(path).count)
    let settings = try scratch.options(budget: size * 2)
    for grows in [false, true] {
      let copy = try snapshot(of: path, settings) {
        #expect(settings.memory.has(size))
        #expect(!settings.memory.has(size + 1))
        if grows { try Bank.grow(database, byteCount: Int(size) * 2) }
      }
      #expect(settings.memory.has(size * 2) == grows)
      #expect(try copy.bytes() == file(path))
    }
    #expect(settings.memory.has(size * 2))
  }

  @Test func `a database that the spool has no room for is none that is read`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE", byteCount: 3_000_000)
    var settings = try scratch.options(budget: 0)
    settings.spoolDirectory = "/proc"
    let opened = try Database(path: path, settings)
    let error = #expect(throws: SQLiteError.self) { try opened.readAhead(from: 0, team) }
    #expect(error?.reason == .spoolFull || error?.reason == .cannotOpen)
  }

  // MARK: passes

  private func passed(
    over file: FakeFile, _ settings: SnapshotSettings, isNew: Bool, _ copy: CopiedBytes? = nil
  ) throws -> CopiedBytes {
    let copy =
      try copy ?? CopiedBytes(byteCount: UInt64(file.contents.count), settings.options, settings.memory)
    try CopyPass.update(copy, from: file.vfsFile, isNew: isNew, blocks: 0..<copy.blockCount, team)
    return copy
  }

  private func bytes(_ copy: CopiedBytes) throws -> [UInt8] { try copy.read(Int(copy.byteCount), at: 0) }

  @Test(arguments: budgets)
  func `every byte that differs is found`(budget: UInt64) throws {
    let scratch = try Scratch()
    let settings = try scratch.options(budget: budget)
    let file = FakeFile()
    file.contents = (0..<2_500_123).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 9) }
    let copy = try passed(over: file, settings, isNew: true)
    #expect(try bytes(copy) == file.contents)
    let places = [0, 1, 4095, 4096, 262_143, 262_144, 1_048_575, 1_048_576, 2_097_152, 2_500_122]
    for place in places { file.contents[place] ^= 1 }
    for index in 500_000..<520_000 { file.contents[index] = 0 }
    _ = try passed(over: file, settings, isNew: false, copy)
    #expect(try bytes(copy) == file.contents)
  }

  @Test(arguments: budgets, [true, false])
  func `a file that cannot be read is no copy`(budget: UInt64, isNew: Bool) throws {
    let scratch = try Scratch()
    let settings = try scratch.options(budget: budget)
    let file = FakeFile()
    file.contents = [UInt8](repeating: 1, count: 5 << 20)
    let copy = try passed(over: file, settings, isNew: true)
    file.failure = SQLITE_IOERR | 1 << 8
    let error = #expect(throws: SQLiteError.self) {
      _ = try passed(over: file, settings, isNew: isNew, copy)
    }
    #expect(error?.code == SQLITE_IOERR | 1 << 8)
    #expect(error?.reason == .inputOutput)
  }

  @Test func `a task that is cancelled stops all threads`() async throws {
    let scratch = try Scratch()
    let settings = try scratch.options()
    let error = try await Task {
      let file = FakeFile()
      file.contents = [UInt8](repeating: 1, count: 3 << 20)
      let team = ThreadTeam(named: "copy", count: 3)
      let copy = try CopiedBytes(byteCount: 1 << 36, settings.options, MemoryBudget(byteCount: 1 << 37))
      withUnsafeCurrentTask { $0?.cancel() }
      // 64 GB, if they went on.
      return #expect(throws: SQLiteError.self) {
        try CopyPass.update(copy, from: file.vfsFile, blocks: 0..<copy.blockCount, team)
      }
    }.value
    #expect(error?.reason == .cancelled)
  }
}
