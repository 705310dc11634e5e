import System
import Testing

@testable import Zip

@Suite struct GzipReaderTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func written(_ bytes: [UInt8]) throws -> [UInt8] {
    var writer = GzipWriter(.default)
    try writer.add(bytes)
    try writer.finish()
    return writer.takeOutput()
  }

  private func read(_ file: [UInt8]) throws -> [UInt8] {
    let reader = try GzipReader(FileSystem.openFile(BytePath(folder.write(file, to: "file.gz"))))
    var content: [UInt8] = []
    while let piece = try reader.next() { content += piece }
    return content
  }

  @Test(arguments: [0, 1, 262_144, 1_000_000]) func `reads what was written`(count: Int) throws {
    let bytes = Bytes.pages(count)
    #expect(try read(written(bytes)) == bytes)
  }

  @Test func `reads what gzip has written`() throws {
    let bytes = Bytes.pages(300_000)
    let path = try folder.write(bytes, to: "named")
    _ = try Tool.python(
      "import subprocess, sys; subprocess.run(['gzip', '-9', sys.argv[1]], check=True)", [path], in: folder)
    let reader = try GzipReader(FileSystem.openFile(BytePath(path + ".gz")))
    var content: [UInt8] = []
    while let piece = try reader.next() { content += piece }
    #expect(content == bytes)
  }

  @Test func `a file that was cut is a fault, wherever`() throws {
    let file = try written(Bytes.pages(3000))
    for count in file.indices {
      #expect(throws: GzipReader.Fault.truncated) { try read(Array(file.prefix(count))) }
    }
  }

  @Test func `a flipped bit of the stream, its CRC or its size gives no other content`() throws {
    let bytes = Bytes.pages(3000)
    let file = try written(bytes)
    for place in 10..<file.count {
      var other = file
      other[place] ^= 1 << (place % 8)
      do {
        let content = try read(other)
        // The bits between a block's end and the next byte mean nothing: RFC 1951 §3.2.4. In CRC and size, each means something.
        #expect(content == bytes && place < file.count - 8, "byte \(place)")
      } catch is GzipReader.Fault {}
    }
  }

  @Test func `a file that grows is read as far as it is`() throws {
    let bytes = Bytes.pages(600_000)
    let file = try written(bytes)
    let path = try folder.write([], to: "growing.gz")
    let reader = try GzipReader(FileSystem.openFile(BytePath(path)))
    var content: [UInt8] = []
    for count in [0, 1, 15, 10_000, file.count / 2, file.count - 3, file.count] {
      _ = try folder.write(Array(file.prefix(count)), to: "growing.gz")
      while let piece = try reader.next(grows: true), !piece.isEmpty { content += piece }
      #expect(bytes.starts(with: content))
      #expect(count < file.count || content == bytes)
    }
    #expect(try reader.next() == nil)
    let whole = try GzipReader(
      FileSystem.openFile(BytePath(folder.write(Array(file.dropLast()), to: "cut.gz"))))
    #expect(throws: GzipReader.Fault.truncated) { while let _ = try whole.next() {} }
  }

  @Test func `nothing may stand behind it`() throws {
    let file = try written(Bytes.pages(3000))
    #expect(throws: GzipReader.Fault.notAtEnd) { try read(file + [0]) }
    #expect(throws: GzipReader.Fault.notAtEnd) { try read(file + file) }
  }
}
