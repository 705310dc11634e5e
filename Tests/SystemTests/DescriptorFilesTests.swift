import Glibc
import Testing
import TestSupport

@testable import System

struct DescriptorFilesTests {
  private let folder: Folder
  private let directory: Directory

  init() throws {
    folder = try Folder()
    directory = try Directory(path: folder.path)
  }

  @Test func `writes at an offset, and reads as much as there is`() throws {
    let file = try directory.makeFile("a")
    try file.write(Array("hello".utf8))
    try file.write(Array("XY".utf8), at: 3)
    #expect(try file.read(100, at: 1) == Array("elXY".utf8))
    #expect(try file.read(2, at: 1) == Array("el".utf8))
    #expect(try file.read(1, at: 5).isEmpty)
    #expect(try file.status().size == 5)
  }

  @Test(arguments: [0..<0, 0..<1, 1..<4097, 4096..<12_288, 100..<50_000, 8191..<70_000] as [Range<UInt64>])
  func `copies a range of another file, of this file system or another`(_ range: Range<UInt64>) throws {
    let bytes = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    let source = try directory.makeFile("source")
    try source.write(bytes)
    // /dev/shm is a tmpfs.
    for (number, folder) in try [Directory(path: folder.path), Directory(path: "/dev/shm")].enumerated() {
      let name = BytePath("sluice-copy-\(range.lowerBound)-\(number)-\(FileSystem.now())")
      let target = try folder.makeFile(name)
      defer { try? folder.remove(name) }
      for offset in [0, 4096, 4100, range.lowerBound] {
        try target.copy(range, of: source, at: offset)
        #expect(
          try target.read(range.count, at: offset)
            == Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)]))
      }
    }
  }

  @Test func `a file is moved to a free name alone`() throws {
    try folder.write("a", [1])
    try folder.write("b", [2])
    #expect(try !directory.renameToFree("a", to: directory, "b"))
    #expect(try directory.openFile("b", writing: false).read(atMost: 9) == [2])
    #expect(try directory.renameToFree("a", to: directory, "c"))
    #expect(try directory.status("a") == nil)
    #expect(try directory.openFile("c", writing: false).read(atMost: 9) == [1])
  }

  @Test func `copies nothing that is not there`() throws {
    let source = try directory.makeFile("source")
    try source.write(Array("hello".utf8))
    let target = try directory.makeFile("target")
    let error = #expect(throws: SystemError.self) { try target.copy(0..<6, of: source, at: 0) }
    #expect(error?.errno == EIO)
  }

  @Test func `reads a file to its end, or to a limit`() throws {
    let bytes = [UInt8](repeating: 7, count: 200_000)
    try folder.write("a", bytes)
    let file = try directory.openFile("a", writing: false)
    #expect(try file.read(atMost: 1_000_000) == bytes)
    #expect(try directory.openFile("a", writing: false).read(atMost: 70_000).count == 70_000)
  }

  @Test func `a lock is met by another descriptor of the file`() throws {
    let first = try directory.makeFile("a")
    let second = try directory.openFile("a", writing: true)
    #expect(try first.lock(Descriptor.LockRange(start: 0, count: 1)))
    #expect(try !second.lock(Descriptor.LockRange(start: 0, count: 1)))
    #expect(try second.lock(Descriptor.LockRange(start: 1, count: 1)))
  }

  @Test func `a descriptor that only reads sees every lock, and shares one`() throws {
    let bytes = Descriptor.LockRange(start: 0, count: 1)
    let writing = try directory.makeFile("a")
    let other = try directory.openFile("a", writing: true)
    let reading = try directory.openFile("a", writing: false)
    #expect(try reading.foreignLock(bytes) == nil)
    #expect(try reading.lock(bytes, isShared: true) && other.lock(bytes, isShared: true))
    #expect(try reading.foreignLock(bytes) != nil && writing.foreignLock(bytes) != nil)
    #expect(try !writing.lock(bytes))
  }

  /// A process may be started without standard output.
  @Test func `a descriptor that is not open is an error here`() {
    #expect(throws: SystemError.self) { try SystemCalls.writeAll([1], to: 9999) }
    #expect(throws: SystemError.self) { _ = try SystemCalls.readSome(9999, 1) }
    put("text", 9999)
  }
}
