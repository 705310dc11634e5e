import CSQLite
import Foundation
import Synchronization
import Testing

@testable import SQLiteSnapshot

@Suite(.timeLimit(.minutes(15)))
struct DatabaseTests {
  private func failure(_ path: String, _ options: SnapshotSettings) -> SQLiteError? {
    #expect(throws: SQLiteError.self) { _ = try Database(path: path, options).snapshot() }
  }

  @Test(arguments: [
    ("text", Array("Not a database, but long enough for its header. ".utf8)),
    ("100 bytes", [UInt8](repeating: 1, count: 100)), ("511 bytes", [UInt8](repeating: 2, count: 511)),
    ("random", (0..<9000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }),
    ("an empty page", [UInt8](repeating: 0, count: 4096)),
  ])
  func `what is not SQLite's is told as such`(name: String, bytes: [UInt8]) throws {
    let scratch = try Scratch()
    let path = try scratch.write(bytes, to: "a.db")
    let error = failure(path, try scratch.options())
    #expect(error?.reason == .notADatabase)
  }

  @Test func `a format version of another engine is refused by its name`() throws {
    let scratch = try Scratch()
    var bytes = try scratch.headerPage()
    (bytes[18], bytes[19]) = (255, 255)
    #expect(
      failure(try scratch.write(bytes, to: "a.db"), try scratch.options())?.reason == .unsupportedFormat)
  }

  @Test func `a header that is only in its first bytes SQLite's is encrypted or another engine's`() throws {
    let scratch = try Scratch()
    var bytes = try scratch.headerPage()
    for index in 32..<bytes.count {
      bytes[index] = UInt8(truncatingIfNeeded: (index &* 2_654_435_761) >> 5) | 1
    }
    #expect(
      failure(try scratch.write(bytes, to: "a.db"), try scratch.options())?.reason == .encryptedOrForeign)
    // One impossible field is damage, which a backup shows as it is.
    bytes = try scratch.headerPage()
    bytes[72] = 1
    _ = try Database(path: scratch.write(bytes, to: "b.db"), scratch.options()).snapshot()
  }

  /// SQLite takes a file of one byte for an empty one, too (`unixFileSize`).
  @Test(arguments: [[], [7]] as [[UInt8]])
  func `a file of no bytes is a database of no pages`(bytes: [UInt8]) throws {
    let scratch = try Scratch()
    let path = try scratch.write(bytes, to: "a.db")
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    #expect(snapshot.pageCount == 0)
    #expect(snapshot.size == 0)
    #expect(try snapshot.bytes() == [])
  }

  @Test(arguments: ["WAL", "DELETE"])
  func `a damaged schema is taken as it is`(mode: String) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    var database = try Bank.create(path, journalMode: mode)
    try database.run(
      "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql='CREATE TABLE (' WHERE name='account'")
    let expected = try database.serialized()
    database = try TestDatabase(scratch.file("other.db"))
    #expect(throws: SQLiteError.self, "damaged") { try TestDatabase(path).run("SELECT * FROM account") }
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    #expect(try snapshot.bytes()[100...] == expected[100...])
  }

  @Test func `a database that is not there is said to be missing`() throws {
    let scratch = try Scratch()
    let error = failure(scratch.file("a.db"), try scratch.options())
    #expect(error?.reason == .cannotOpen)
    #expect(error?.message.contains("No such file") == true)
    #expect(!FileManager.default.fileExists(atPath: scratch.file("a.db")), "nor is it made")
  }

  @Test func `a symbolic link is not followed`() throws {
    let scratch = try Scratch()
    _ = try Bank.create(scratch.file("a.db"), journalMode: "DELETE")
    let link = scratch.file("link")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: scratch.file("a.db"))
    #expect(failure(link, try scratch.options())?.reason == .symbolicLink)
  }

  @Test(arguments: [("DELETE", "BEGIN EXCLUSIVE"), ("WAL", "BEGIN IMMEDIATE; UPDATE account SET balance=1")])
  func `another process's lock is waited for, then told, if it locks readers out`(
    mode: String, lock: String
  ) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: mode)
    let other = try OtherProcess(path)
    let database = try Database(path: path, scratch.options(busyTimeout: .milliseconds(40)))
    for statement in lock.split(separator: ";") { try other.ask("sql('\(statement)')") }
    if mode == "WAL" {
      #expect(try Inspection(of: database.snapshot().bytes(), in: scratch) == .sound)
    } else {
      let start = ContinuousClock.now
      let error = #expect(throws: SQLiteError.self) { try database.snapshot() }
      #expect(error?.reason == .locked)
      #expect(ContinuousClock.now - start >= .milliseconds(40))
    }
    try other.ask("sql('ROLLBACK')")
    #expect(throws: Never.self) { try Database(path: path, scratch.options()).snapshot() }
  }

  @Test func `a caller that opens many waits for none of them`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE")
    let other = try OtherProcess(path)
    try other.ask("sql('BEGIN EXCLUSIVE')")
    #expect(failure(path, try scratch.options(busyTimeout: .seconds(3600)))?.reason == .locked)
  }

  @Test func `a log that is another connection's alone is locked`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    do { _ = try Bank.create(path) }
    let other = try OtherProcess(path)
    try other.ask("sql('PRAGMA locking_mode=EXCLUSIVE')")
    try other.ask("transfer()")
    #expect(failure(path, try scratch.options(busyTimeout: .milliseconds(10)))?.reason == .locked)
  }

  @Test func `a lock that ends in time is waited for`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE")
    let other = try OtherProcess(path)
    let database = try Database(path: path, scratch.options())
    try other.ask("sql('BEGIN EXCLUSIVE')")
    // Answered once the lock is gone.
    try other.tell("time.sleep(0.05) or sql('COMMIT')")
    let snapshot = try database.snapshot()
    #expect(snapshot.method == .copied)
    _ = try other.answer()
  }

  @Test func `a caller that is called off waits no longer`() async throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    _ = try Bank.create(path, journalMode: "DELETE")
    let other = try OtherProcess(path)
    let options = try scratch.options(busyTimeout: .seconds(3600))
    let isOpen = Atomic(false)
    let isLocked = Atomic(false)
    let waiting = Task {
      let database = try Database(path: path, options)
      isOpen.store(true, ordering: .releasing)
      while !isLocked.load(ordering: .acquiring) { await Task.yield() }
      return #expect(throws: SQLiteError.self) { try database.snapshot() }
    }
    while !isOpen.load(ordering: .acquiring) { await Task.yield() }
    try other.ask("sql('BEGIN EXCLUSIVE')")
    isLocked.store(true, ordering: .releasing)
    waiting.cancel()
    #expect(try await waiting.value?.reason == .locked)
  }

  @Test func `the journal of a writer that crashed is told as such, and left alone`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    do { _ = try Bank.create(path, journalMode: "DELETE") }
    let writer = try OtherProcess(path)
    for statement in ["PRAGMA cache_size=1", "BEGIN", "UPDATE filler SET content = randomblob(1000)"] {
      try writer.ask("sql('\(statement)')")
    }
    writer.die()
    let other = try OtherProcess()
    let before = try other.ask("digests('\(path)')")
    #expect(failure(path, try scratch.options())?.reason == .hotJournal)
    #expect(try other.ask("digests('\(path)')") == before)
    // The application rolls it back, and then it can be taken.
    _ = try TestDatabase(path).text("SELECT count(*) FROM account")
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    #expect(try Inspection(of: snapshot.bytes(), in: scratch) == .sound)
  }

  @Test func `the log of a writer that crashed is recovered`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    do { _ = try Bank.create(path) }
    let writer = try OtherProcess(path)
    for _ in 0..<5 { try writer.ask("transfer()") }
    try writer.ask("sql('BEGIN IMMEDIATE')")
    try writer.ask("sql('UPDATE account SET balance = 0')")
    writer.die()
    let snapshot = try Database(path: path, scratch.options()).snapshot()
    #expect(try Inspection(of: snapshot.bytes(), in: scratch) == .sound)
  }

  @Test func `gives one snapshot, and locks nothing before`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let writer = try Bank.create(path)
    let database = try Database(path: path, scratch.options())
    #expect(database.journalMode == "wal")
    let other = try OtherProcess(path, timeout: 0.05)
    #expect(try other.ask("checkpoint('TRUNCATE')") == "0")
    try Bank.transfer(writer)
    let snapshot = try database.snapshot()
    #expect(try snapshot.bytes() == writer.serialized(), "of the instant at which it was asked for")
    let error = #expect(throws: SQLiteError.self) { try database.snapshot() }
    #expect(error?.code == SQLITE_MISUSE)
  }
}

extension Scratch {
  /// The only page of a database without tables.
  fileprivate func headerPage() throws -> [UInt8] {
    var page = Array("SQLite format 3\0".utf8) + [16, 0, 1, 1, 0, 64, 32, 32]
    page += [UInt8](repeating: 0, count: 4096 - page.count)
    (page[27], page[31], page[47], page[59], page[95]) = (1, 1, 4, 1, 1)
    (page[100], page[105], page[106]) = (13, 16, 0)
    return page
  }
}
