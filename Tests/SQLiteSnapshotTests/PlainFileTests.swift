import Foundation
import Testing

@testable import SQLiteSnapshot

struct PlainFileTests {
  @Test func `reads any part of a file`() throws {
    let scratch = try Scratch()
    let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    let file = try PlainFile(path: scratch.write(bytes, to: "VERSION"))
    for range in [0..<300_000, 0..<0, 0..<1, 299_999..<300_000, 123..<65_659] {
      #expect(try file.read(range.count, at: UInt64(range.lowerBound)) == Array(bytes[range]))
    }
  }

  @Test func `a file of no bytes is read as such`() throws {
    let scratch = try Scratch()
    let file = try PlainFile(path: scratch.write([], to: "empty"))
    #expect(try file.read(0, at: 0) == [])
  }

  @Test func `reading a file that became shorter fails`() throws {
    let scratch = try Scratch()
    let path = try scratch.write([UInt8](repeating: 9, count: 5000), to: "log")
    let file = try PlainFile(path: path)
    try FileHandle(forWritingTo: URL(filePath: path)).truncate(atOffset: 4999)
    let error = #expect(throws: SQLiteError.self) { _ = try file.read(5000, at: 0) }
    #expect(error?.reason == .changed)
    #expect(error?.message.contains("shorter") == true)
    #expect(try file.read(4999, at: 0).count == 4999)
  }

  @Test func `a file that grew is read as far as was asked for`() throws {
    let scratch = try Scratch()
    let path = try scratch.write([1, 2, 3], to: "log")
    let file = try PlainFile(path: path)
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    try handle.seekToEnd()
    try handle.write(contentsOf: [4])
    #expect(try file.read(3, at: 0) == [1, 2, 3])
  }

  @Test func `refuses a symbolic link`() throws {
    let scratch = try Scratch()
    _ = try scratch.write([1], to: "secret")
    try FileManager.default.createSymbolicLink(
      atPath: scratch.file("link"), withDestinationPath: scratch.file("secret"))
    #expect(throws: SQLiteError.self) { _ = try PlainFile(path: scratch.file("link")) }
  }

  @Test func `says why it cannot open a file`() throws {
    let scratch = try Scratch()
    let error = #expect(throws: SQLiteError.self) { _ = try PlainFile(path: scratch.file("missing")) }
    #expect(error?.reason == .cannotOpen)
    #expect(error?.message.contains("No such file") == true)
  }

  @Test(arguments: [true, false])
  func `closing it keeps the pin of the same file under another name`(isHardLink: Bool) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path)
    let name = isHardLink ? scratch.file("floor_plan") : path
    if isHardLink { try FileManager.default.linkItem(atPath: path, toPath: name) }
    let other = try OtherProcess(path, timeout: 0.05)
    let locks =
      "len({tuple(l.split()[1:]) for l in open('/proc/locks') if l.split()[5].endswith(':%d' % os.stat('\(path)').st_ino)})"
    var snapshot: Snapshot? = try Database(path: path, scratch.options()).snapshot()
    let expected = try database.serialized()
    // The kernel's list is read in pieces, between which other processes' locks come and go: one reading may miss some, or
    // have one twice.
    let read = { try (0..<20).map { _ in Int(try other.ask(locks)) ?? 0 }.max() ?? 0 }
    let before = try read()
    #expect(before > 0)

    do {
      let file = try PlainFile(path: name)
      _ = try file.read(4096, at: 0)
    }
    #expect(try read() == before, "a descriptor of our own would have dropped them")
    try Bank.transfer(database)
    #expect(try other.ask("checkpoint('TRUNCATE')") == "1", "busy")
    #expect(try snapshot?.bytes() == expected)
    snapshot = nil
    #expect(try other.ask("checkpoint('TRUNCATE')") == "0")
  }
}
