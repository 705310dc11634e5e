import CSQLite
import Testing

@testable import SQLiteSnapshot

struct WALIndexHeaderTests {
  let good = LogBuilder().index(frameCount: 5, pageCount: 77)

  @Test func `reads what both copies agree on`() throws {
    let file = FakeFile()
    file.looks = [good]
    let header = try WALIndexHeader(of: file.vfsFile)
    #expect(header.frameCount == 5)
    #expect(header.pageCount == 77)
    #expect(header.salts == WALSalts([UInt32(0x1234_5678).bigEndian, UInt32(0x9abc_def0).bigEndian], at: 0))
    #expect(file.lookCount == 2, "once more after the counts")
  }

  @Test(arguments: 0..<24)
  func `looks again while a writer is between the copies`(word: Int) throws {
    let file = FakeFile()
    var torn = good
    torn[word] ^= 1
    file.looks = [torn, torn, good]
    #expect(try WALIndexHeader(of: file.vfsFile).frameCount == 5)
    #expect(file.lookCount == 4)
  }

  @Test func `reads how far checkpoints have come, of the log that the header is of`() throws {
    let file = FakeFile()
    let counts: [UInt32] = [3, 0, 3, .max, .max, .max, 0, 0, 4]
    var anew = LogBuilder().index(frameCount: 0, pageCount: 77)
    anew += [UInt32](repeating: 0, count: counts.count)
    // A writer starts the log anew between the counts and the second look.
    file.looks = [good + counts, anew]
    var header = try WALIndexHeader(of: file.vfsFile)
    #expect(header.frameCount == 0)
    #expect(header.backfilledCount == 0)
    file.looks = [good + counts]
    header = try WALIndexHeader(of: file.vfsFile)
    #expect(header.backfilledCount == 3)
    #expect(header.backfillAttempted == 4)
  }

  @Test(arguments: 0..<12)
  func `does not take two copies that agree on what cannot be`(word: Int) {
    let file = FakeFile()
    var torn = good
    torn[word] ^= 0x100
    torn[word + 12] ^= 0x100
    file.looks = [torn]
    let error = #expect(throws: SQLiteError.self) { try WALIndexHeader(of: file.vfsFile) }
    #expect(error?.reason == .locked)
  }

  @Test func `gives up on copies that never agree`() {
    let file = FakeFile()
    var torn = good
    torn[4] += 1
    file.looks = [torn]
    let error = #expect(throws: SQLiteError.self) { try WALIndexHeader(of: file.vfsFile) }
    #expect(error?.code == SQLITE_BUSY)
    #expect(file.lookCount > 10)
  }

  @Test(arguments: [SQLITE_READONLY, SQLITE_READONLY | 5 << 8])
  func `shared memory that may only be read is as good`(code: Int32) throws {
    let file = FakeFile()
    file.looks = [good]
    file.sharedMemoryCode = code
    #expect(try WALIndexHeader(of: file.vfsFile).pageCount == 77)
  }

  @Test func `says why there is no shared memory`() {
    let file = FakeFile()
    file.sharedMemoryCode = SQLITE_IOERR | 21 << 8
    let error = #expect(throws: SQLiteError.self) { try WALIndexHeader(of: file.vfsFile) }
    #expect(error?.code == SQLITE_IOERR | 21 << 8)
  }
}
