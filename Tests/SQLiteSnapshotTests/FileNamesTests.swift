import Foundation
import Testing

@testable import SQLiteSnapshot

@Suite(.timeLimit(.minutes(15)))
struct FileNamesTests {
  private let scratch: Scratch
  private let path: String
  /// As SQLite would have it open.
  private let open: FileHandle

  init() throws {
    scratch = try Scratch()
    for suffix in ["", "-wal", "-shm"] { _ = try scratch.write([1], to: "a.db" + suffix) }
    path = scratch.file("a.db")
    open = try #require(FileHandle(forReadingAtPath: path))
  }

  private func failure(_ names: FileNames) -> SQLiteError.Reason? {
    do throws(SQLiteError) { try names.check() } catch { return error.reason }
    return nil
  }

  @Test func `what is where it was is found`() throws {
    let names = try FileNames(of: path)
    #expect(failure(names) == nil)
    try names.checkDatabase()
  }

  @Test func `a write that comes within a tick of the last may leave the time as it is, and only that`()
    throws
  {
    let names = try FileNames(of: path)
    let setTime = { (age: Double) in
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: path)
      return try #require(try names.databaseContent()).timeUntilTold()
    }
    let soon = try #require(try setTime(0))
    #expect(soon > 0 && soon <= 40_000)
    #expect(try setTime(0.1) == nil)
    #expect(try setTime(-0.1) == nil, "another machine's clock")
    #expect(try setTime(-100_000) == nil)
  }

  @Test func `a journal that changes is in use, one that stays is not`() throws {
    #expect(try FileNames.isJournalInUse(path), "it is gone by now")
    _ = try scratch.write([UInt8](repeating: 1, count: 5000), to: "a.db-journal")
    #expect(try !FileNames.isJournalInUse(path))
    let writer = try OtherProcess()
    try writer.tell("write_for_ever('\(path)-journal')")
    #expect(try writer.answer() == "\"ready\"")
    // The writer may be waiting for a processor.
    while try !FileNames.isJournalInUse(path) {}
    writer.die()
  }

  @Test(arguments: ["-wal", "-shm"])
  func `a log or an index that is gone, or another, is none that locks are seen in`(suffix: String) throws {
    let names = try FileNames(of: path)
    try FileManager.default.moveItem(atPath: path + suffix, toPath: path + ".old")
    #expect(failure(names) == .changed)
    _ = try scratch.write([1], to: "a.db" + suffix)
    #expect(failure(names) == .changed)
    try names.checkDatabase()
  }

  @Test func `a database that was moved is found under its other name by another process`() throws {
    let names = try FileNames(of: path)
    try FileManager.default.moveItem(atPath: path, toPath: path + ".moved")
    #expect(failure(names) == .changed)
    #expect(throws: SQLiteError.self) { try names.checkDatabase() }
  }

  @Test func `a database without any name is found by no process`() throws {
    let names = try FileNames(of: path)
    for suffix in ["", "-wal", "-shm"] { try FileManager.default.removeItem(atPath: path + suffix) }
    #expect(failure(names) == nil)
    _ = try scratch.write([2], to: "a.db")
    #expect(failure(names) == nil, "another has its name")
    #expect(throws: SQLiteError.self) { try names.checkDatabase() }
  }
}
