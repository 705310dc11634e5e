import Foundation
import Testing

@testable import SQLiteSnapshot

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

  @Test(arguments: ["-wal", "-shm"])
  func `a log or an index that is gone, or another, is none that locks are seen in`(suffix: String) throws {
    let names = try FileNames(of: path)
    try FileManager.default.moveItem(atPath: path + suffix, toPath: path + ".old")
    #expect(failure(names) == .changed)
    _ = try scratch.write([1], to: "a.db" + suffix)
    #expect(failure(names) == .changed)
    try names.checkDatabase()
  }

  @Test func `a database that was moved is found under its other name by somebody else`() throws {
    let names = try FileNames(of: path)
    try FileManager.default.moveItem(atPath: path, toPath: path + ".moved")
    #expect(failure(names) == .changed)
    #expect(throws: SQLiteError.self) { try names.checkDatabase() }
  }

  @Test func `a database without any name is found by nobody`() throws {
    let names = try FileNames(of: path)
    for suffix in ["", "-wal", "-shm"] { try FileManager.default.removeItem(atPath: path + suffix) }
    #expect(failure(names) == nil)
    _ = try scratch.write([2], to: "a.db")
    #expect(failure(names) == nil, "another has its name")
    #expect(throws: SQLiteError.self) { try names.checkDatabase() }
  }
}
