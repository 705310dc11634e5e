import Testing

@testable import Zip

@Suite struct DeflateEngineTests {
  /// Every one that some build of this package uses, as far as this one has it.
  private static let methods: [DeflateMethod] = {
    var methods: [DeflateMethod] = [.stored]
    for level in Int32(1)...9 { methods.append(.zlib(DeflateParameters(level: level, memLevel: 8))) }
    #if ISAL
      for level in UInt32(1)...3 { methods.append(.isal(level: level)) }
    #endif
    return methods
  }()

  @Test(arguments: methods)
  func `blocks joined in order are one deflate stream`(method: DeflateMethod) throws {
    let folder = try TemporaryFolder()
    for member in TestMember.variety {
      let engine = DeflateEngine(method)
      let blocks = try member.blocks.map { try engine.deflate($0.data, isLast: $0.isLast) }
      let stream = try folder.write(blocks.flatMap(\.bytes), to: "stream")
      let data = try folder.write(member.data, to: "data")
      _ = try Tool.python(
        """
        import sys, zlib
        inflate = zlib.decompressobj(-15)
        assert inflate.decompress(open(sys.argv[1], 'rb').read()) == open(sys.argv[2], 'rb').read(), 'data'
        assert inflate.eof and not inflate.unused_data, 'end'
        """, [stream, data], in: folder)
    }
  }

  @Test(arguments: methods, [0, 1, 16_383, 65_535, 65_536, DeflateEngine.blockSize])
  func `no block is longer than it is stored, whatever is in it`(method: DeflateMethod, count: Int) throws {
    let engine = DeflateEngine(method)
    for isLast in [false, true] {
      let block = try engine.deflate(Bytes.noise(count), isLast: isLast)
      #expect(block.bytes.count <= StoredBlocks.encodedCount(of: count, isLast: isLast))
      #expect(block.uncompressedCount == count)
      #expect(block.isLast == isLast)
    }
  }

  @Test func `more compression makes less`() throws {
    let data = Bytes.pages(DeflateEngine.blockSize)
    let counts = try Compression.allCases.map {
      try DeflateEngine($0).deflate(data, isLast: true).bytes.count
    }
    #expect(counts == Set(counts).sorted(by: >))
  }

  /// Fills the stack below its caller with one number, 1 KiB a call.
  @inline(never) private func fillStack(_ value: UInt16, _ depth: Int) {
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 512) { words in
      words.initialize(repeating: value)
      if depth > 1 { fillStack(value, depth - 1) }
      withExtendedLifetime(words[511]) {}
    }
  }

  @Test(arguments: methods) func `the same data makes the same bytes, whatever the stack held`(
    method: DeflateMethod
  ) throws {
    let engine = DeflateEngine(method)
    let data = Bytes.pages(20_000)
    var made: Set<[UInt8]> = []
    for value in UInt16(0)...16 {
      fillStack(value, 192)
      made.insert(try engine.deflate(data, isLast: true).bytes)
    }
    #expect(made.count == 1)
  }

  @Test(arguments: methods)
  func `the same data with the same number makes the same bytes, whatever else is made`(
    method: DeflateMethod
  ) async throws {
    let engine = DeflateEngine(method, parallelism: 4)
    func made() async throws -> [Int: [UInt8]] {
      try await withThrowingTaskGroup { group in
        for number in (0..<200).shuffled() {
          group.addTask {
            (number, try engine.deflate(Bytes.repeated(number), isLast: true, number: number).bytes)
          }
        }
        return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
      }
    }
    #expect(try await made() == made())
  }

  @Test(arguments: methods)
  func `a block that became small takes little memory`(method: DeflateMethod) throws {
    let zeros = [UInt8](repeating: 0, count: DeflateEngine.blockSize)
    let bytes = try DeflateEngine(method).deflate(zeros, isLast: false).bytes
    #expect(bytes.capacity <= 2 * bytes.count + 64)
  }

  @Test func `stored blocks are as RFC 1951 draws them`() {
    #expect(StoredBlocks.encode([], isLast: false) == [])
    #expect(StoredBlocks.encode([], isLast: true) == [1, 0, 0, 0xff, 0xff])
    #expect(StoredBlocks.encode([7, 8], isLast: false) == [0, 2, 0, 0xfd, 0xff, 7, 8])
    let two = StoredBlocks.encode([UInt8](repeating: 9, count: 65_536), isLast: true)
    #expect(two.prefix(6) == [0, 0xff, 0xff, 0, 0, 9])
    #expect(two.suffix(6) == [1, 1, 0, 0xfe, 0xff, 9])
    #expect(two.count == 65_536 + 10)
  }

  @Test(arguments: [0, 1, 5, 65_535, 65_536, 131_070, DeflateEngine.blockSize])
  func `the length of stored blocks is foretold`(count: Int) {
    for isLast in [false, true] {
      let encoded = StoredBlocks.encode([UInt8](repeating: 1, count: count), isLast: isLast)
      #expect(encoded.count == StoredBlocks.encodedCount(of: count, isLast: isLast))
    }
  }

  @Test func `refuses a block larger than the block size`() {
    let count = DeflateEngine.blockSize + 1
    let refusal = failure { () throws(ZipError) in
      _ = try DeflateEngine(.fast).deflate([UInt8](repeating: 0, count: count), isLast: true)
    }
    #expect(refusal == .blockTooLarge(byteCount: count))
  }

  #if ISAL
    @Test func `ISA-L knows the CRC-32 that zlib knows`() {
      for count in [0, 1, 15, 16, 17, 4095, DeflateEngine.blockSize] {
        let data = Bytes.noise(count)
        #expect(ISAL.crc32(data) == Zlib.crc32(data))
      }
    }

    @Test func `a code of ISA-L's comes through as an error`() {
      let refusal = failure { () throws(ZipError) in
        _ = try ISAL.deflate([1], isLast: true, level: 42, at: ISALPlace(), into: 100)
      }
      #expect(refusal == .isal(code: -4))
    }
  #endif

  @Test func `a code of zlib's comes through as an error`() {
    let refusal = failure { () throws(ZipError) in
      _ = try Zlib.deflate([1], isLast: true, DeflateParameters(level: 42, memLevel: 8), into: 100)
    }
    #expect(refusal == .zlib(code: -2))
  }
}
