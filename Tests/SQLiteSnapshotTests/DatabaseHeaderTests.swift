import System
import Testing

@testable import SQLiteSnapshot

struct DatabaseHeaderTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Of a database that SQLite itself has made.
  private func header(_ statements: String) throws -> DatabaseHeader {
    let path = scratch.file("a.db")
    try TestDatabase(path).run(statements)
    return try #require(DatabaseHeader(PlainFile(path: path).read(DatabaseHeader.size, at: 0)))
  }

  @Test(arguments: [512, 4096, 65536])
  func `has SQLite's page size and page count`(pageSize: Int) throws {
    let header = try header("PRAGMA page_size=\(pageSize); CREATE TABLE t (x); CREATE TABLE u (x)")
    #expect(header.hasMagic)
    #expect(header.pageSize == pageSize)
    #expect(header.pageCount == 3)
    #expect(header.reservedByteCount == 0)
    #expect(header.largestRootPage == 0)
    #expect(!header.isInWALMode)
    #expect(throws: Never.self) { try header.check() }
  }

  @Test func `knows the journal mode, the free list and auto-vacuum`() throws {
    let header = try header(
      "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=wal; CREATE TABLE t (x); "
        + "INSERT INTO t VALUES (zeroblob(50000)); DROP TABLE t; CREATE TABLE u (x)")
    #expect(header.isInWALMode)
    #expect(header.freelistPageCount > 5)
    #expect(header.firstFreelistTrunk > 2)
    #expect(header.largestRootPage == 3)
    var bytes = header.bytes
    DatabaseHeader.setRollbackMode(in: &bytes)
    #expect(try !#require(DatabaseHeader(bytes)).isInWALMode)
  }

  @Test func `does not count the pages for which an older SQLite was the last writer`() throws {
    var bytes = try header("CREATE TABLE t (x)").bytes
    #expect(try #require(DatabaseHeader(bytes)).pageCount == 2)
    bytes[92] ^= 1
    #expect(try #require(DatabaseHeader(bytes)).pageCount == 0)
  }

  @Test func `is none of fewer bytes than it has`() {
    #expect(DatabaseHeader([UInt8](repeating: 0, count: 99)) == nil)
    #expect(DatabaseHeader([UInt8](repeating: 0, count: 100))?.hasMagic == false)
  }
}
