import Testing

@testable import Zip

@Suite struct ZipWriterTests {
  let engine = DeflateEngine(.default)

  private func entry(_ name: String, size: UInt64 = 3) -> ZipEntry {
    ZipEntry(name: name, modified: 0, permissions: 0o644, size: size)
  }

  /// Writes one member of three bytes.
  private func write(_ name: String, _ writer: inout ZipWriter, _ output: inout [UInt8]) throws(ZipError) {
    try writer.begin(entry(name), into: &output)
    let block = try engine.deflate([1, 2, 3], isLast: true)
    try writer.add(block)
    output += block.bytes
    _ = try writer.end(into: &output)
  }

  @Test func `refuses a second member of the same name`() throws {
    var writer = ZipWriter()
    var output: [UInt8] = []
    try write("a", &writer, &output)
    let count = output.count
    let failure = failure { () throws(ZipError) in try writer.begin(entry("a"), into: &output) }
    #expect(failure == .duplicateName("a"))
    #expect(output.count == count)
    #expect(writer.offset == UInt64(count))
  }

  @Test func `takes names that differ only in case, or only in their bytes`() throws {
    let names = ["a", "A", "\u{e9}", "e\u{301}"]
    let archive = try TestArchive(names.map { TestMember($0, [1]) })
    let read = try StrictReader(archive).members.map(\.name)
    #expect(read.map { Array($0.utf8) } == names.map { Array($0.utf8) })
  }

  @Test func `refuses an unsafe name before it writes anything`() {
    var writer = ZipWriter()
    var output: [UInt8] = []
    let failure = failure { () throws(ZipError) in try writer.begin(entry("../a"), into: &output) }
    #expect(failure == .unsafeName("../a", .dotComponent))
    #expect(output.isEmpty)
  }

  @Test func `refuses a member larger than any file`() {
    var writer = ZipWriter()
    var output: [UInt8] = []
    for size in [ZipEntry.maximumSize + 1, .max] {
      let failure = failure { () throws(ZipError) in try writer.begin(entry("a", size: size), into: &output) }
      #expect(failure == .memberTooLarge("a", size: size))
    }
  }

  @Test(arguments: [
    ([4], ZipError.wrongSize("a", expected: 3, given: 4)),
    ([2, 2], .wrongSize("a", expected: 3, given: 4)),
    ([2], .wrongSize("a", expected: 3, given: 2)),
    ([], .wrongSize("a", expected: 3, given: 0)),
  ])
  func `refuses more or fewer bytes than the entry's size`(counts: [Int], expected: ZipError) throws {
    var writer = ZipWriter()
    var output: [UInt8] = []
    try writer.begin(entry("a"), into: &output)
    let failure = failure { () throws(ZipError) in
      for (index, count) in counts.enumerated() {
        let input = [UInt8](repeating: 7, count: count)
        try writer.add(try engine.deflate(input, isLast: index == counts.count - 1))
      }
      _ = try writer.end(into: &output)
    }
    #expect(failure == expected)
  }

  @Test func `notices the byte too many before its block is sent`() throws {
    var writer = ZipWriter()
    var output: [UInt8] = []
    try writer.begin(entry("a"), into: &output)
    let offset = writer.offset
    let block = try engine.deflate([1, 2, 3, 4], isLast: false)
    let failure = failure { () throws(ZipError) in try writer.add(block) }
    #expect(failure == .wrongSize("a", expected: 3, given: 4))
    #expect(writer.offset == offset)
  }

  @Test(arguments: [[false], [true, true], [true, false]])
  func `refuses a stream that does not end with its last block`(lasts: [Bool]) throws {
    var writer = ZipWriter()
    var output: [UInt8] = []
    try writer.begin(entry("a"), into: &output)
    let failure = failure { () throws(ZipError) in
      for (index, isLast) in lasts.enumerated() {
        try writer.add(try engine.deflate(index == 0 ? [1, 2, 3] : [], isLast: isLast))
      }
      _ = try writer.end(into: &output)
    }
    #expect(failure == .brokenStream("a"))
  }

  @Test func `refuses an empty member without its one empty block`() throws {
    var writer = ZipWriter()
    var output: [UInt8] = []
    try writer.begin(entry("a", size: 0), into: &output)
    let failure = failure { () throws(ZipError) in _ = try writer.end(into: &output) }
    #expect(failure == .brokenStream("a"))
  }

  @Test func `refuses to add, end, begin or finish out of turn`() throws {
    let block = try engine.deflate([1, 2, 3], isLast: true)
    var writer = ZipWriter()
    var output: [UInt8] = []
    #expect(failure { () throws(ZipError) in try writer.add(block) } == .noMember)
    #expect(failure { () throws(ZipError) in _ = try writer.end(into: &output) } == .noMember)
    try writer.begin(entry("a"), into: &output)
    #expect(
      failure { () throws(ZipError) in try writer.begin(entry("b"), into: &output) } == .memberNotEnded("a"))
    let count = output.count
    var finishing: ZipError?
    do throws(ZipError) { try writer.finish(into: &output) } catch { finishing = error }
    #expect(finishing == .memberNotEnded("a"))
    #expect(output.count == count)
  }

  @Test func `the offset counts every byte that was produced`() throws {
    var writer = ZipWriter()
    var output: [UInt8] = [0, 0, 0]
    #expect(writer.offset == 0)
    try write("a", &writer, &output)
    #expect(writer.offset == UInt64(output.count - 3))
    try write("b", &writer, &output)
    #expect(writer.offset == UInt64(output.count - 3))
  }

  @Test func `a member's summary tells its lengths and its checksum`() throws {
    let summary = try #require(
      try TestArchive([TestMember("a", Array("123456789".utf8))], .store).summaries.first)
    // The check value of CRC-32: https://reveng.sourceforge.io/crc-catalogue/17plus.htm
    #expect(summary == MemberSummary(name: "a", crc32: 0xcbf4_3926, compressedSize: 14, size: 9))
  }

  private static let sizes = [
    0, 1, 65_535, 65_536, DeflateEngine.blockSize - 1, DeflateEngine.blockSize, DeflateEngine.blockSize + 1,
    700_000,
  ]

  @Test(arguments: [
    ZipLimits.standard, ZipLimits(size: 100, count: 2), ZipLimits(size: 65_545, count: 0xffff),
    ZipLimits(size: 300_000, count: 0xffff),
  ])
  func `the length foretold of a stored archive is its length`(limits: ZipLimits) throws {
    let members =
      TestMember.variety
      + Self.sizes.map { TestMember("\($0)", [UInt8](repeating: 5, count: $0), modified: -1) }
    for count in 0...members.count {
      let members = Array(members.prefix(count))
      let archive = try TestArchive(members, .store, limits: limits)
      #expect(try ZipWriter.storedLength(of: members.map(\.entry), limits: limits) == archive.byteCount)
    }
  }

  @Test(arguments: [ZipLimits.standard, ZipLimits(size: 100, count: 2)])
  func `each member's data begins at a multiple of 4096 if it is stored`(limits: ZipLimits) throws {
    // Names of every length make paddings of every length.
    let names = (0..<4100).map { TestMember("\($0)/" + String(repeating: "n", count: 1 + $0 % 137), [1]) }
    let stored = try StrictReader(TestArchive(TestMember.variety + names, .store, limits: limits)).members
    #expect(stored.allSatisfy { $0.dataOffset % 4096 == 0 })
    #expect(stored.allSatisfy { $0.localExtra["d935"]?.hasPrefix("0010") ?? false })
    #expect(stored.allSatisfy { $0.centralExtra["d935"] == nil })
    let deflated = try StrictReader(TestArchive(TestMember.variety, .fast, limits: limits)).members
    #expect(deflated.allSatisfy { $0.localExtra["d935"] == nil })
  }

  @Test func `no length is foretold of an archive that would be refused`() {
    let failure = failure { () throws(ZipError) in
      _ = try ZipWriter.storedLength(of: [entry("a"), entry("a")])
    }
    #expect(failure == .duplicateName("a"))
  }
}

/// The error that some work ends in, if it does. (`#expect(throws:)` cannot capture a noncopyable writer.)
func failure(_ work: () throws(ZipError) -> Void) -> ZipError? {
  do throws(ZipError) {
    try work()
    return nil
  } catch {
    return error
  }
}
