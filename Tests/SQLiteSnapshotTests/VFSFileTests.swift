import CSQLite
import Testing

@testable import SQLiteSnapshot

struct VFSFileTests {
  @Test func `fills just the part that it was told to`() throws {
    let file = FakeFile()
    file.contents = Array(0..<100)
    var bytes = [UInt8](repeating: 255, count: 6)
    #expect(try file.vfsFile.read(into: &bytes, 2..<5, at: 10) == true)
    #expect(bytes == [255, 255, 10, 11, 12, 255])
    var words = [UInt32](repeating: 0, count: 2)
    try file.vfsFile.read(into: &words, 1..<2, at: 4)
    #expect(words == [0, 0x0706_0504])
  }

  @Test func `what lies past the end reads as zeros, and is told`() throws {
    let file = FakeFile()
    file.contents = [1, 2, 3]
    var bytes = [UInt8](repeating: 255, count: 4)
    #expect(try file.vfsFile.read(into: &bytes, 0..<4, at: 1) == false)
    #expect(bytes == [2, 3, 0, 0])
    #expect(try file.vfsFile.read(into: &bytes, 0..<3, at: 0) == true)
  }

  @Test func `any other failure is thrown`() {
    let file = FakeFile()
    file.failure = SQLITE_IOERR | 1 << 8
    var bytes: [UInt8] = [0]
    let error = #expect(throws: SQLiteError.self) { try file.vfsFile.read(into: &bytes, 0..<1, at: 0) }
    #expect(error?.code == SQLITE_IOERR | 1 << 8)
    #expect(throws: SQLiteError.self) { try file.vfsFile.size() }
  }

  @Test func `knows its size`() throws {
    let file = FakeFile()
    file.contents = [1, 2, 3]
    #expect(try file.vfsFile.size() == 3)
  }
}
