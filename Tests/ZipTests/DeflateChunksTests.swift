import Foundation
import Testing

@testable import Zip

/// What is inflated on several processors is what one inflater makes of it.
@Suite struct DeflateChunksTests {
  private static let data = Bytes.pages(3 << 19) + Bytes.noise(1 << 19)

  /// Inflates a stream, as far as it goes in chunks, and then in order.
  ///
  /// - Returns: nil if it is no whole stream; and how much was inflated in chunks.
  private func inflate(_ stream: [UInt8]) throws -> (data: [UInt8]?, inChunks: Int) {
    let folder = try TemporaryFolder()
    let path = try folder.write(stream, to: "stream")
    let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    defer { try? file.close() }
    var chunks = DeflateChunks(file: file.fileDescriptor, range: 0..<UInt64(stream.count))
    var data: [UInt8] = []
    while let pieces = try chunks.next() {
      #expect(pieces.allSatisfy { $0.count <= 256 * 1024 })
      data += pieces.joined()
    }
    let inChunks = data.count
    let inflater = try Inflater(window: chunks.window)
    var used = Int(chunks.offset)
    while !inflater.isFinished {
      guard let (output, more) = inflater.inflate(stream[used...], capacity: 1 << 18),
        !output.isEmpty || more > 0
      else { return (nil, inChunks) }
      data += output
      used += more
    }
    return (used == stream.count ? data : nil, inChunks)
  }

  private func stream(_ data: [UInt8], _ compression: Compression) throws -> [UInt8] {
    let size = DeflateEngine.blockSize
    return try stride(from: 0, to: data.count, by: size).flatMap { start in
      let end = min(start + size, data.count)
      return try DeflateEngine(compression).deflate(Array(data[start..<end]), isLast: end == data.count).bytes
    }
  }

  // What is only stored has no flushes.
  @Test(arguments: [Compression.fast, .default, .best])
  func `blocks of ours are inflated apart from each other`(compression: Compression) throws {
    let (data, inChunks) = try inflate(stream(Self.data, compression))
    #expect(data == Self.data)
    #expect(inChunks >= DeflateEngine.blockSize)
  }

  @Test(arguments: [
    "zlib.Z_FINISH",  // never flushed
    "zlib.Z_SYNC_FLUSH",  // flushed, with matches that reach back over it
    "zlib.Z_FULL_FLUSH",  // flushed, without
  ])
  func `a stream of any writer is inflated`(flush: String) throws {
    let folder = try TemporaryFolder()
    let data = Bytes.pages(2 << 20)
    let path = try folder.write(data, to: "data")
    _ = try Tool.python(
      """
      import sys, zlib
      data, deflate, stream = open(sys.argv[1], 'rb').read(), zlib.compressobj(6, zlib.DEFLATED, -15), b''
      for start in range(0, len(data), 150_000):
          stream += deflate.compress(data[start:start + 150_000])
          if \(flush) != zlib.Z_FINISH:
              stream += deflate.flush(\(flush))
      open('stream', 'wb').write(stream + deflate.flush())
      """, [path], in: folder)
    let stream = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path + "/stream")))
    #expect(try inflate(stream).data == data)
  }

  @Test func `data that looks like a flush is data`() throws {
    let flush: [UInt8] = [0, 0, 0xff, 0xff]
    var data = Bytes.noise(5 << 19)
    // Just before the end of what is read for a chunk; the second is in the next one.
    for place in [500_000, 1_000_000, 1_010_000, 2_000_000] {
      data.replaceSubrange(place..<place + 4, with: flush)
    }
    #expect(try inflate(stream(data, .store)).data == data)
    let nothingElse = [UInt8]((0..<1 << 18).flatMap { _ in flush })
    #expect(try inflate(stream(nothingElse, .store)).data == nothingElse)
  }

  @Test func `a stream that is changed is what one inflater takes it for`() throws {
    let original = try stream(Self.data, .default)
    let count = original.count
    for index in stride(from: 1000, to: count, by: count / 20) {
      var changed = original
      changed[index] ^= 0x10
      let inflater = try Inflater()
      var expected: [UInt8]? = []
      var used = 0
      while !inflater.isFinished {
        guard let (output, more) = inflater.inflate(changed[used...], capacity: 1 << 18),
          !output.isEmpty || more > 0
        else {
          expected = nil
          break
        }
        expected? += output
        used += more
      }
      if used != count { expected = nil }
      #expect(try inflate(changed).data == expected, "byte \(index)")
    }
    for length in [0, 1, 600_000, count - 1] {
      #expect(try inflate(Array(original[..<length])).data == nil, "cut off at \(length)")
    }
  }
}
