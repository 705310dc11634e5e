import Testing

@testable import Zip

@Suite struct Zip64Tests {
  static let small = ZipLimits(size: 100, count: 2)

  @Test func `a member past the limit has eight-byte sizes, and one below it has not`() throws {
    let archive = try TestArchive(
      // 94 bytes are 99 when stored, 95 are 100.
      [TestMember("below", Bytes.noise(94)), TestMember("at", Bytes.noise(95))],
      limits: ZipLimits(size: 100, count: 0xffff))
    let reader = try StrictReader(archive)
    #expect(reader.members.map(\.descriptorByteCount) == [16, 24])
    #expect(reader.members.map { $0.localExtra["0001"] == nil } == [true, false])
    #expect(reader.members.map(\.versionNeeded) == [20, 45])
  }

  @Test func `the central directory has only the values that do not fit`() throws {
    let archive = try TestArchive(
      [
        TestMember("large but compressible", Array(repeating: 0, count: 5000)),
        TestMember("offset", [1]),
        TestMember("all three", Bytes.noise(5000)),
      ], limits: ZipLimits(size: 100, count: 0xffff))
    let reader = try StrictReader(archive)
    let mark: UInt64 = 0xffff_ffff
    let compressed = archive.summaries.map(\.compressedSize)
    #expect(reader.members[0].centralFields == [compressed[0], mark, 0])
    #expect(reader.members[1].centralFields == [compressed[1], 1, mark])
    #expect(reader.members[2].centralFields == [mark, mark, mark])
    #expect(reader.members.map { ($0.centralExtra["0001"] ?? "").utf8.count } == [16, 16, 48])
    // The offset alone makes the central header zip64; the data descriptor stays as the local header says.
    #expect(reader.members.map(\.versionNeeded) == [45, 45, 45])
    #expect(reader.members.map(\.descriptorByteCount) == [24, 16, 24])
  }

  @Test(arguments: [
    // members, limits, entries, size and offset in the last record
    (1, ZipLimits(size: 1000, count: 2), false, [1, 56, 59]),
    (2, ZipLimits(size: 1000, count: 2), true, [0xffff, 112, 118]),
    (1, ZipLimits(size: 58, count: 2), true, [1, 56, 0xffff_ffff]),
    (1, ZipLimits(size: 56, count: 2), true, [1, 0xffff_ffff, 0xffff_ffff]),
  ])
  func `the end is zip64 only where a value does not fit`(
    count: Int, limits: ZipLimits, isZip64: Bool, fields: [UInt64]
  ) throws {
    let members = (0..<count).map { TestMember("\($0)", [UInt8(ascii: "x")]) }
    let reader = try StrictReader(try TestArchive(members, .best, limits: limits))
    #expect(reader.hasZip64End == isZip64)
    #expect(reader.endFields == fields)
  }

  // Java 17's ZipInputStream goes by the size it has read, not by the header's zip64 field, and takes no
  // small member with eight-byte sizes. The large ones it takes are in LargeArchiveTests.
  @Test(arguments: [Tool.python, .unzip, .sevenZip, .bsdtar])
  func `readers accept zip64 records with small values`(reader: Tool) throws {
    for compression in Compression.allCases {
      try reader.read(try TestArchive(TestMember.variety, compression, limits: Self.small))
    }
  }

  @Test func `a block that outgrows promised four-byte sizes is an error, not a broken archive`() throws {
    let engine = DeflateEngine(.store)
    var writer = ZipWriter(limits: Self.small)
    var output: [UInt8] = []
    try writer.begin(ZipEntry(name: "crumbs", modified: 0, permissions: 0o644, size: 90), into: &output)
    let failure = failure { () throws(ZipError) in
      for _ in 0..<90 { try writer.add(try engine.deflate([0], isLast: false)) }
    }
    #expect(failure == .outgrownSizes("crumbs"))
  }
}
