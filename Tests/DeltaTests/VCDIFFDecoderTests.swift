import Foundation
import System
import TestSupport
import Testing

@testable import Delta

@Suite struct VCDIFFDecoderTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  private var source: BytePath { BytePath(folder.path + "/source") }
  private var target: BytePath { BytePath(folder.path + "/target") }

  /// What it makes of the file `source` and a delta that comes in pieces.
  private func decode(_ delta: [UInt8], pieceSize: Int = 4096) throws -> [UInt8] {
    try? FileSystem.remove(target)
    let made = try FileSystem.makeFile(target)
    var rest = delta[...]
    var decoder = VCDIFFDecoder()
    let base = try FileSystem.openFile(source)
    while !rest.isEmpty {
      let piece = Array(rest.prefix(pieceSize))
      rest.removeFirst(piece.count)
      try decoder.append(piece, from: base, into: made)
    }
    try decoder.finish()
    return try made.read(Int(made.status().size), at: 0)
  }

  @Test(arguments: 0..<8) func `makes the target of random instructions`(seed: UInt64) throws {
    var random = Generator(state: seed)
    let bytes = noise(2 << 20, seed: seed)
    try folder.write("source", bytes)
    let (delta, target) = randomDelta(of: bytes, &random, seed: seed)
    #expect(
      try decode(delta, pieceSize: Int.random(in: 1000...300_000, using: &random)) == target)
  }

  /// Two windows of some kilobytes, since what they copy is far apart; and the source.
  private func smallDelta() throws -> (delta: [UInt8], target: [UInt8]) {
    let bytes = noise(3000) + [UInt8](repeating: 0, count: 5 << 20) + noise(3000, seed: 1)
    try folder.write("source", bytes)
    let end = bytes.count
    var writer = VCDIFFWriter()
    writer.add(Array("begin".utf8))
    writer.copy(5..<2900)
    writer.run(0, count: 70)
    writer.copy(UInt64(end - 2800)..<UInt64(end))
    writer.add(Array("end".utf8))
    writer.finish()
    let target =
      Array("begin".utf8) + bytes[5..<2900] + [UInt8](repeating: 0, count: 70) + bytes[(end - 2800)...]
      + Array("end".utf8)
    return (writer.takeOutput(), target)
  }

  @Test func `a delta that was cut within a window is a fault`() throws {
    let (delta, target) = try smallDelta()
    #expect(try decode(delta) == target)
    #expect(try decode(delta, pieceSize: 1) == target)
    var beginnings = 0
    for count in 0..<delta.count {
      let made = Result { try decode(Array(delta.prefix(count))) }
      switch made {
      // There is no end mark: RFC 3284.
      case .success(let made):
        beginnings += 1
        #expect(target.starts(with: made))
      case .failure(let fault):
        #expect(fault as? VCDIFFDecoder.Fault == (count < 5 ? .noDelta : .truncated))
      }
    }
    #expect(beginnings == 2)
  }

  @Test func `a flipped bit makes a fault or another target of the same size`() throws {
    let (delta, target) = try smallDelta()
    for place in delta.indices {
      for bit in 0..<8 {
        var other = delta
        other[place] ^= 1 << bit
        do {
          let made = try decode(other)
          // The segment may be larger than it must be.
          #expect(made.count == target.count)
        } catch {
          #expect(error is VCDIFFDecoder.Fault || (error as? SystemError)?.errno == EIO, "\(error)")
        }
      }
    }
  }

  @Test(
    arguments: [
      // Of another version, with a code table, with an application header.
      ([0xD6, 0xC3, 0xC4, 0x53, 0], .noDelta), ([0xD6, 0xC3, 0xC4, 0, 2], .noDelta),
      ([0xD6, 0xC3, 0xC4, 0, 4], .noDelta),
      // VCD_TARGET; VCD_ADLER32 of xdelta3.
      ([0xD6, 0xC3, 0xC4, 0, 0, 2], .brokenWindow), ([0xD6, 0xC3, 0xC4, 0, 0, 4], .brokenWindow),
      // Delta_Indicator: the data is compressed.
      ([0xD6, 0xC3, 0xC4, 0, 0, 0, 8, 1, 1, 1, 2, 0, 0x61, 1, 1], .brokenWindow),
      // ADD with its size in the code; COPY with another mode.
      ([0xD6, 0xC3, 0xC4, 0, 0, 0, 7, 1, 0, 1, 1, 0, 0x61, 2], .brokenWindow),
      ([0xD6, 0xC3, 0xC4, 0, 0, 1, 4, 0, 8, 4, 0, 0, 2, 1, 35, 4, 0], .brokenWindow),
      // A copy of the target; one from behind the segment.
      ([0xD6, 0xC3, 0xC4, 0, 0, 1, 4, 0, 8, 4, 0, 0, 2, 1, 19, 4, 1], .brokenWindow),
      // A window without end; an integer of more than 63 bits.
      ([0xD6, 0xC3, 0xC4, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F], .brokenWindow),
      ([0xD6, 0xC3, 0xC4, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 10), .brokenWindow),
      // A segment that no file has.
      (
        [0xD6, 0xC3, 0xC4, 0, 0, 1, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0], .brokenWindow
      ),
    ] as [([UInt8], VCDIFFDecoder.Fault)])
  func `refuses what is not written here`(_ delta: [UInt8], _ fault: VCDIFFDecoder.Fault) throws {
    try folder.write("source", noise(100))
    #expect(throws: fault) { try decode(delta) }
  }

  @Test func `a source that has become shorter is an error`() throws {
    let (delta, _) = try smallDelta()
    try folder.write("source", noise(3000))
    let error = try #require(throws: SystemError.self) { try decode(delta) }
    #expect(error.errno == EIO)
  }
}
