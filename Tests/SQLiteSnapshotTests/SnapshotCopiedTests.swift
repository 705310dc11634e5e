import CSQLite
import Foundation
import TestSupport
import Testing

@testable import SQLiteSnapshot

@Suite(.timeLimit(.minutes(15)))
struct SnapshotCopiedTests {
  /// A budget that everything fits into, and one for the spool.
  static let budgets: [UInt64] = [1 << 30, 1000]

  private func spooled(in scratch: Scratch) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: scratch.spool())
  }

  @Test(arguments: [512, 1024, 4096, 32768, 65536], budgets)
  func `holds what the database held, whatever is committed after`(pageSize: Int, budget: UInt64) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, pageSize: pageSize, journalMode: "DELETE", byteCount: 1_500_000)
    let snapshot = try Database(path: path, scratch.options(budget: budget)).snapshot()
    #expect(try spooled(in: scratch) == [], "its file has no name")
    #expect(snapshot.method == .copied)
    #expect(snapshot.journalMode == "delete")
    #expect(snapshot.pageSize == pageSize)
    let expected = [UInt8](try Data(contentsOf: URL(filePath: path)))
    try Bank.transfer(database, times: 3)

    let bytes = try snapshot.bytes()
    #expect(UInt64(bytes.count) == snapshot.size)
    // Byte for byte, with the counters of the header.
    #expect(bytes == expected)
    #expect(try Inspection(of: bytes, in: scratch) == .sound)
    #expect(try snapshot.walGrowth() == 0)
  }

  @Test(arguments: ["DELETE", "TRUNCATE", "PERSIST"], budgets)
  func `leaves the database and its journal as they are, and nothing behind`(mode: String, budget: UInt64)
    throws
  {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, journalMode: mode)
    try Bank.transfer(database)
    let other = try OtherProcess()
    let before = try other.ask("digests('\(path)')")
    do {
      let snapshot = try Database(path: path, scratch.options(budget: budget)).snapshot()
      _ = try snapshot.bytes()
      #expect(try spooled(in: scratch) == [])
    }
    #expect(try other.ask("digests('\(path)')") == before)
    #expect(try spooled(in: scratch) == [])
  }

  @Test func `does not hold up a writer`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE")
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    let other = try OtherProcess(path, timeout: 0)
    try other.ask("transfer()")
    try snapshot.confirm()
    try other.ask("transfer()")
    #expect(try Inspection(of: snapshot.bytes(), in: scratch) == .sound)
  }

  @Test func `gives its part of the budget back`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, journalMode: "DELETE")
    let byteCount = UInt64(try database.serialized().count)
    let options = try scratch.options(budget: byteCount + 10)
    for _ in 0..<3 {
      let snapshot = try Database(path: path, options).snapshot()
      #expect(!options.memory.has(11))
      #expect(options.memory.has(10))
      withExtendedLifetime(snapshot) {}
    }
    #expect(options.memory.has(byteCount + 10))
  }

  @Test func `a copy that is called off gives the budget back, and the lock`() async throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, journalMode: "DELETE")
    let byteCount = UInt64(try database.serialized().count)
    let options = try scratch.options(budget: byteCount)
    let other = try OtherProcess(path)
    let error = try await Task {
      let opened = try Database(path: path, options)
      withUnsafeCurrentTask { $0?.cancel() }
      return #expect(throws: SQLiteError.self) { _ = try opened.snapshot() }
    }.value
    #expect(error?.reason == .cancelled)
    #expect(options.memory.has(byteCount))
    try other.ask("transfer()")
  }

  @Test func `says which folder it cannot spool to`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE")
    var options = try scratch.options(budget: 0)
    options.spoolDirectory = scratch.file("missing")
    let opened = try Database(path: path, options)
    let error = #expect(throws: SQLiteError.self) { _ = try opened.snapshot() }
    #expect(error?.reason == .cannotOpen)
    #expect(error?.message.contains(scratch.file("missing")) == true)
  }

  @Test(arguments: budgets)
  func `ends although another process commits all the while, and is of one instant`(budget: UInt64) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE", byteCount: 12_000_000)
    let writer = try OtherProcess()
    try writer.tell("transfer_for_ever('\(path)', 5, 0)")
    #expect(try writer.answer() == "\"ready\"")
    for _ in 0..<4 {
      var database: Database?
      while database == nil {
        do { database = try Database(path: path, scratch.options(budget: budget)) } catch {
          guard (error as? SQLiteError)?.reason == .locked else { throw error }
        }
      }
      let snapshot = try #require(database).snapshot()
      #expect(try Inspection(of: snapshot.bytes(), in: scratch) == .sound)
    }
    writer.die()
    #expect(try spooled(in: scratch) == [])
  }

  @Test(arguments: budgets)
  func `a writer that does not see the lock is noticed`(budget: UInt64) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE", byteCount: 12_000_000)
    let writer = try OtherProcess()
    try writer.tell("write_for_ever('\(path)')")
    #expect(try writer.answer() == "\"ready\"")
    var reason: SQLiteError.Reason?
    // On a busy machine, the writer may get no processor for as long as a copy takes: then the copy is good.
    for _ in 0..<50 where reason == nil {
      do {
        _ = try Database(path: path, scratch.options(budget: budget)).snapshot()
      } catch let error as SQLiteError {
        reason = error.reason
      }
    }
    #expect(reason == .unseenWriter)
    writer.die()
    #expect(
      try Inspection(of: Database(path: path, scratch.options()).snapshot().bytes(), in: scratch) == .sound)
    #expect(try spooled(in: scratch) == [])
  }

  @Test func `the lock of the VFS unix-dotfile is waited for, and named if it stays`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE")
    let other = try OtherProcess()
    try other.ask("os.mkdir('\(path).lock')")
    var opened = try Database(path: path, scratch.options(busyTimeout: .milliseconds(10)))
    let error = #expect(throws: SQLiteError.self) { _ = try opened.snapshot() }
    #expect(error?.reason == .unseenWriter)
    #expect(error?.message.contains("unix-dotfile") == true)

    opened = try Database(path: path, scratch.options(busyTimeout: .seconds(60)))
    try other.tell("[time.sleep(0.05), os.rmdir('\(path).lock')]")
    #expect(try Inspection(of: opened.snapshot().bytes(), in: scratch) == .sound)
    // A file of that name is none.
    _ = try scratch.write([1], to: "a.db.lock")
    _ = try Database(path: path, scratch.options()).snapshot()
  }

  @Test func `the journal of a writer with a lock of its own is no crashed one's`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE")
    let writer = try OtherProcess()
    try writer.ask("connect('file:\(path)?vfs=unix-dotfile')")
    try writer.ask(
      "[db.execute(s) for s in ('PRAGMA cache_size=5', 'BEGIN', 'UPDATE filler SET content=randomblob(1000)')][0].rowcount"
    )
    var error = #expect(throws: SQLiteError.self) { try Database(path: path, scratch.options()) }
    #expect(error?.reason == .unseenWriter)
    writer.die()
    // What it leaves is one.
    try FileManager.default.removeItem(atPath: path + ".lock")
    error = #expect(throws: SQLiteError.self) { try Database(path: path, scratch.options()) }
    #expect(error?.reason == .hotJournal)
  }

  @Test func `confirming tells that nothing was committed since`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, journalMode: "DELETE")
    let options = try scratch.options(busyTimeout: .seconds(3600))
    let isConfirmed = { (meanwhile: () throws -> Void) in
      let snapshot = try Database(path: path, options).snapshot()
      let takenAt = snapshot.takenAt
      try meanwhile()
      try snapshot.confirm()
      return snapshot.takenAt > takenAt
    }
    #expect(try isConfirmed {})
    #expect(try !isConfirmed { try database.run("BEGIN EXCLUSIVE") }, "locked, and not waited for")
    try database.run("ROLLBACK")
    #expect(try !isConfirmed { try Bank.transfer(database) })
  }

  @Test func `knows when it was taken`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE")
    let before = Date().timeIntervalSince1970
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    #expect((before...Date().timeIntervalSince1970).contains(Double(snapshot.takenAt) / 1e9))
  }
}
