import Foundation

@testable import Zip

/// A member for a test: an entry and its data.
struct TestMember {
  let entry: ZipEntry
  let data: [UInt8]

  init(_ name: String, _ data: [UInt8], modified: Int64 = 1_750_000_001, permissions: UInt16 = 0o644) {
    entry = ZipEntry(name: name, modified: modified, permissions: permissions, size: UInt64(data.count))
    self.data = data
  }

  /// The data cut into blocks as a caller of the engine cuts it.
  var blocks: [(data: [UInt8], isLast: Bool)] {
    var blocks: [(data: [UInt8], isLast: Bool)] = []
    var start = 0
    repeat {
      let end = min(start + DeflateEngine.blockSize, data.count)
      blocks.append((Array(data[start..<end]), end == data.count))
      start = end
    } while start < data.count
    return blocks
  }

  /// One of everything that could matter to a reader.
  static let variety = [
    TestMember("VERSION", Array("1.2.3\n".utf8)),
    TestMember("empty.db", []),
    TestMember("pages.db", Bytes.pages(700_001)),
    TestMember("floor_plan/noise.png", Bytes.noise(300_000)),
    TestMember("floor_plan/one block", Bytes.pages(DeflateEngine.blockSize)),
    TestMember("Grüße/日本語 🏠.db", Bytes.noise(2 * DeflateEngine.blockSize)),
  ]
}

/// An archive in a folder of its own.
struct TestArchive {
  let folder: TemporaryFolder
  let path: String
  let byteCount: UInt64
  let summaries: [MemberSummary]

  /// Writes an archive of members.
  init(_ members: [TestMember], _ compression: Compression = .default, limits: ZipLimits = .standard) throws {
    folder = try TemporaryFolder()
    let engine = DeflateEngine(compression)
    var writer = ZipWriter(limits: limits, alignment: compression.alignment)
    var bytes: [UInt8] = []
    var summaries: [MemberSummary] = []
    for member in members {
      try writer.begin(member.entry, into: &bytes)
      for block in member.blocks {
        let deflated = try engine.deflate(block.data, isLast: block.isLast)
        try writer.add(deflated)
        bytes += deflated.bytes
      }
      summaries.append(try writer.end(into: &bytes))
    }
    try writer.finish(into: &bytes)
    path = try folder.write(bytes, to: "archive.zip")
    byteCount = UInt64(bytes.count)
    self.summaries = summaries
  }

  /// Writes an archive of members too large to hold, each of one block many times and an empty last one.
  init(repeating members: [(name: String, block: DeflatedBlock, count: Int)]) throws {
    folder = try TemporaryFolder()
    path = try folder.write("", to: "archive.zip")
    var file = try SparseFile(path)
    let last = try DeflateEngine(.store).deflate([], isLast: true)
    var writer = ZipWriter()
    var records: [UInt8] = []
    var summaries: [MemberSummary] = []
    for (name, block, count) in members {
      let size = UInt64(block.uncompressedCount) * UInt64(count)
      try writer.begin(ZipEntry(name: name, modified: 0, permissions: 0o600, size: size), into: &records)
      try file.append(SparseFile.Bytes(records))
      let bytes = SparseFile.Bytes(block.bytes)
      for _ in 0..<count {
        try writer.add(block)
        try file.append(bytes)
      }
      try writer.add(last)
      records = last.bytes
      summaries.append(try writer.end(into: &records))
      try file.append(SparseFile.Bytes(records))
      records = []
    }
    try writer.finish(into: &records)
    try file.append(SparseFile.Bytes(records))
    try file.close()
    byteCount = file.offset
    self.summaries = summaries
  }
}

/// A file in which long runs of zeros take no time and no room.
struct SparseFile {
  /// Bytes parted into pieces of which not all are zero, and how many there are with the zeros.
  struct Bytes {
    let count: Int
    private(set) var pieces: [(offset: Int, data: Data)] = []

    init(_ bytes: [UInt8]) {
      count = bytes.count
      var rest = bytes[...]
      while let start = rest.firstIndex(where: { $0 != 0 }) {
        let end = min(start + 4096, rest.endIndex)
        // The zeros at its end are left out again.
        let last = rest[start..<end].lastIndex { $0 != 0 } ?? start
        pieces.append((start, Data(rest[start...last])))
        rest = rest[end...]
      }
    }
  }

  private(set) var offset: UInt64 = 0
  private let file: FileHandle

  init(_ path: String) throws { file = try FileHandle(forWritingTo: URL(fileURLWithPath: path)) }

  /// Appends bytes, of which zeros are only counted.
  mutating func append(_ bytes: Bytes) throws {
    for piece in bytes.pieces {
      try file.seek(toOffset: offset + UInt64(piece.offset))
      try file.write(contentsOf: piece.data)
    }
    offset += UInt64(bytes.count)
  }

  /// Gives the file its length, which zeros at the end have left too short.
  func close() throws {
    try file.truncate(atOffset: offset)
    try file.close()
  }
}

/// Data that is the same in every run.
enum Bytes {
  /// Bytes that cannot be compressed.
  static func noise(_ count: Int) -> [UInt8] {
    var state: UInt64 = 42
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return UInt8(truncatingIfNeeded: state >> 56)
    }
  }

  /// Twelve bytes four times, others for each number: so little that what ISA-L makes of it often depends on an address.
  static func repeated(_ number: Int) -> [UInt8] {
    let word = noise(12 * (number + 1)).suffix(12)
    return Array([word, word, word, word].joined())
  }

  /// Bytes that compress about as well as a database: repeated words with noise among them.
  static func pages(_ count: Int) -> [UInt8] {
    let noise = noise(count)
    let words = Array(#"{"zone":"kitchen","confidence":0.97,"person":"alice"}"#.utf8)
    return (0..<count).map { noise[$0] < 32 ? noise[$0] : words[$0 % words.count] }
  }
}
