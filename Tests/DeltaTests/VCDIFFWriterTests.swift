import Foundation
import System
import TestSupport
import Testing

@testable import Delta

/// Stock xdelta3 is the judge.
@Suite struct VCDIFFWriterTests {
  /// What xdelta3 makes of a source and a delta.
  private func decode(_ delta: [UInt8], from source: [UInt8]) throws -> [UInt8] {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("vcdiff-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (base, encoded, made) = (
      folder.appendingPathComponent("base"), folder.appendingPathComponent("delta"),
      folder.appendingPathComponent("made")
    )
    try Data(source).write(to: base)
    try Data(delta).write(to: encoded)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/xdelta3")
    process.arguments = ["-d", "-f", "-s", base.path, encoded.path, made.path]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return Array(try Data(contentsOf: made))
  }

  @Test(arguments: [UInt64(0), 1, 127, 128, 16383, 16384, 1 << 32, .max])
  func `integers have seven bits a byte`(value: UInt64) {
    var bytes: [UInt8] = []
    bytes.append(vcdiff: value)
    #expect(bytes.dropLast().allSatisfy { $0 & 0x80 != 0 } && bytes[bytes.count - 1] & 0x80 == 0)
    #expect(bytes.reduce(0) { $0 << 7 | UInt64($1 & 0x7f) } == value)
    #expect(bytes.count == 1 || bytes[0] != 0x80)
  }

  @Test func `the example of RFC 3284 section 2 is encoded as there`() {
    var bytes: [UInt8] = []
    bytes.append(vcdiff: 123_456_789)
    #expect(bytes == [0xBA, 0xEF, 0x9A, 0x15])
  }

  @Test(arguments: 0..<24) func `xdelta3 makes the target of random instructions`(seed: UInt64) throws {
    var random = Generator(state: seed)
    let source = noise(6 << 20, seed: seed)
    let (delta, target) = randomDelta(of: source, &random, seed: seed)
    #expect(try decode(delta, from: source) == target)
  }

  @Test func `copies that follow one another are one`() throws {
    let source = noise(1 << 20)
    var writer = VCDIFFWriter()
    for start in stride(from: 0, to: 1 << 20, by: 64) { writer.copy(UInt64(start)..<UInt64(start + 64)) }
    writer.finish()
    let delta = writer.takeOutput()
    #expect(delta.count < 32)
    #expect(try decode(delta, from: source) == source)
  }

  @Test func `no window is larger than it may be`() throws {
    let bytes = noise(VCDIFFWriter.windowSize * 2 + 7)
    var writer = VCDIFFWriter()
    writer.add(bytes)
    #expect(writer.takeOutput().count > VCDIFFWriter.windowSize * 2)
    writer.finish()
    #expect(writer.takeOutput().count < 64)
  }
}

func noise(_ count: Int, seed: UInt64 = 42) -> [UInt8] {
  var state = seed
  return (0..<count).map { _ in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return UInt8(truncatingIfNeeded: state >> 56)
  }
}

/// A delta of random instructions, and what it makes of the source.
func randomDelta(
  of source: [UInt8], _ random: inout Generator, seed: UInt64
) -> (delta: [UInt8], target: [UInt8]) {
  let fresh = noise(1 << 20, seed: seed &+ 1)
  var writer = VCDIFFWriter()
  var (target, delta): ([UInt8], [UInt8]) = ([], [])
  for _ in 0..<Int.random(in: 1...60, using: &random) {
    switch Int.random(in: 0..<4, using: &random) {
    case 0:
      let count = Int.random(in: 0...(seed % 2 == 0 ? 300 : 1_500_000), using: &random)
      let range = 0..<min(count, fresh.count)
      writer.add(fresh, range)
      target += fresh[range]
    case 1:
      let count = Int.random(in: 0...5000, using: &random)
      writer.run(UInt8(seed), count: count)
      target += [UInt8](repeating: UInt8(seed), count: count)
    default:
      let start = Int.random(in: 0..<source.count, using: &random)
      let end = Int.random(in: start...min(source.count, start + 1_200_000), using: &random)
      writer.copy(UInt64(start)..<UInt64(end))
      target += source[start..<end]
    }
    delta += writer.takeOutput()
  }
  writer.finish()
  return (delta + writer.takeOutput(), target)
}

/// The same in every run.
struct Generator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
