import CSQLite
import Testing

@testable import SQLiteSnapshot

struct WriteAheadLogTests {
  private func scan(
    _ log: LogBuilder, frameCount: Int? = nil, pageSize: Int? = nil,
    changing change: (inout [UInt8]) -> Void = { _ in }
  ) throws -> WriteAheadLog? {
    let file = FakeFile()
    file.contents = log.bytes
    change(&file.contents)
    file.looks = [log.index(frameCount: frameCount)]
    let index = try WALIndexHeader(of: file.vfsFile)
    return try WriteAheadLog(scanning: file.vfsFile, publishedBy: index, pageSize: pageSize ?? log.pageSize)
  }

  /// Pages 3, 1, 3, 2, then 1 and 7 in a second commit.
  private func log(pageSize: Int = 512, isBigEndian: Bool = false) -> LogBuilder {
    var log = LogBuilder(pageSize: pageSize, isBigEndian: isBigEndian)
    for page in [3, 1, 3] { log.append(page: UInt32(page), fill: UInt8(page)) }
    log.append(page: 2, fill: 2, sizeAfterCommit: 3)
    log.append(page: 1, fill: 11)
    log.append(page: 7, fill: 7, sizeAfterCommit: 7)
    return log
  }

  private func places(_ frames: some Sequence<WriteAheadLog.PageFrame>) -> [[Int]] {
    frames.map { [Int($0.page), $0.frame] }
  }

  @Test(arguments: [512, 4096, 65536], [false, true])
  func `finds the last frame of each page, in either byte order`(pageSize: Int, isBigEndian: Bool) throws {
    let scanned = try #require(try scan(log(pageSize: pageSize, isBigEndian: isBigEndian)))
    #expect(places(scanned.frames) == [[1, 4], [2, 3], [3, 2], [7, 5]])
    #expect(scanned.pageCount == 9, "as the index says")
  }

  @Test(arguments: [(0, []), (1, [[3, 0]]), (4, [[1, 1], [2, 3], [3, 2]])] as [(Int, [[Int]])])
  func `goes no further than what was published`(frameCount: Int, frames: [[Int]]) throws {
    #expect(try scan(log(), frameCount: frameCount).map { places($0.frames) } == frames)
  }

  @Test func `an index that promises more than there is belongs to another log`() throws {
    #expect(try scan(log(), frameCount: 7) == nil)
    #expect(try scan(log()) { $0.removeLast() } == nil)
    #expect(try scan(log()) { $0 = [] } == nil)
  }

  @Test(arguments: [
    0, 4, 8, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 500, 32 + 536 * 5 + 20, 32 + 536 * 6 - 1,
  ])
  func `a log of which any part is changed is not the one`(offset: Int) throws {
    #expect(try scan(log()) { $0[offset] ^= 0x40 } == nil)
  }

  @Test func `a log of another page size is not the one`() throws {
    #expect(try scan(log(), pageSize: 1024) == nil)
  }

  @Test(
    arguments: [
      (0..<1, []), (1..<2, [1]), (1..<4, [1, 2, 3]), (2..<3, [2]), (4..<7, []), (4..<8, [7]), (7..<8, [7]),
      (8..<99, []),
      (0..<99, [1, 2, 3, 7]),
    ] as [(Range<UInt64>, [Int])])
  func `finds the frames of a range of pages`(range: Range<UInt64>, pages: [Int]) throws {
    let scanned = try #require(try scan(log()))
    #expect(scanned.frames(ofPages: range).map { Int($0.page) } == pages)
  }

  @Test func `knows where a frame begins`() {
    #expect(WriteAheadLog.offset(ofFrame: 0, pageSize: 4096) == 32)
    #expect(WriteAheadLog.offset(ofFrame: 3, pageSize: 512) == 32 + 3 * 536)
    #expect(WriteAheadLog.offset(ofFrame: 100_000, pageSize: 65536) == 32 + 100_000 * 65560, "past 4 GiB")
  }

  @Test func `agrees with SQLite on a log of its own, larger than one read`() throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, byteCount: 900_000)
    let connection = try DatabaseConnection.reading(path, busyTimeout: .zero)
    try connection.execute("BEGIN; PRAGMA schema_version")
    let index = try WALIndexHeader(of: connection.databaseFile())
    let scanned = try #require(
      try WriteAheadLog(scanning: connection.walFile(), publishedBy: index, pageSize: 4096))
    // It answers with three numbers: whether it was busy, the frames in the log, those moved.
    let checkpoint = try database.text("PRAGMA wal_checkpoint(PASSIVE)")
    #expect(checkpoint == "0|\(index.frameCount)|\(index.frameCount)")
    #expect(index.frameCount > 2 * 64)
    #expect(scanned.pageCount == UInt32(try database.number("PRAGMA page_count")))
    #expect(scanned.frames.count == Int(scanned.pageCount), "every page was written since")
  }

  @Test func `an error of the file is passed on`() throws {
    let file = FakeFile()
    file.failure = SQLITE_IOERR | 1 << 8
    let error = #expect(throws: SQLiteError.self) { try WALHeader(of: file.vfsFile) }
    #expect(error?.code == SQLITE_IOERR | 1 << 8)
    #expect(error?.reason == .inputOutput)
  }
}
