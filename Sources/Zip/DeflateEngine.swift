/// Compresses blocks, each without regard to any other, so that all cores can work at one member.
package struct DeflateEngine: Sendable {
  /// The data of one block in bytes. A member is cut into blocks of this size, the last of which may be shorter.
  ///
  /// Large enough that starting afresh costs little (0.5 % of size), and small enough that a window of them does.
  package static let blockSize = 256 * 1024

  /// What makes the blocks of most levels: a program is built with one of two.
  package static var name: String {
    #if ISAL
      "isal"
    #else
      "zlib"
    #endif
  }

  private let method: DeflateMethod
  #if ISAL
    private let places: [ISALPlace]
  #endif

  /// Makes an engine, which any number of tasks may use at once.
  ///
  /// - Parameter parallelism: How many blocks are compressed at once, at the most.
  package init(_ compression: Compression, parallelism: Int = 1) {
    self.init(compression.method, parallelism: parallelism)
  }

  init(_ method: DeflateMethod, parallelism: Int = 1) {
    self.method = method
    #if ISAL
      if case .isal = method {
        places = (0..<parallelism).map { _ in ISALPlace() }
      } else {
        places = []
      }
    #endif
  }

  /// Compresses one block, ended by a sync flush, or finished when it is the member's last. A member of no bytes is
  /// one empty last block.
  ///
  /// The result is never longer than the same data stored, which bounds a member's length before it is compressed.
  ///
  /// - Parameters:
  ///   - input: The data, at most ``blockSize`` bytes.
  ///   - isLast: Whether the member ends with this block.
  ///   - number: Whatever sets it apart from those that are compressed at the same time. One engine makes the same bytes of the
  ///     same data with the same number; with another one it may make others.
  /// - Throws: ``ZipError/blockTooLarge(byteCount:)``; ``ZipError/zlib(code:)``, for want of memory;
  ///   ``ZipError/isal(code:)``.
  ///
  /// RFC 1951.
  package func deflate(_ input: [UInt8], isLast: Bool, number: Int = 0) throws(ZipError) -> DeflatedBlock {
    guard input.count <= Self.blockSize else { throw .blockTooLarge(byteCount: input.count) }
    var bytes = try compress(input, isLast: isLast, number) ?? StoredBlocks.encode(input, isLast: isLast)
    // Made with room for the worst. A budget for blocks counts what is in them, not the room.
    if bytes.count < bytes.capacity / 2 {
      var copy: [UInt8] = []
      copy.reserveCapacity(bytes.count)
      copy += bytes
      bytes = copy
    }
    return DeflatedBlock(
      bytes: bytes, crc32: Self.crc32(input), uncompressedCount: input.count, isLast: isLast)
  }

  /// The data compressed, or `nil` if that would not make it shorter than storing it.
  private func compress(_ input: [UInt8], isLast: Bool, _ number: Int) throws(ZipError) -> [UInt8]? {
    guard !input.isEmpty else { return nil }
    let bound = StoredBlocks.encodedCount(of: input.count, isLast: isLast)
    switch method {
    case .stored: return nil
    case .zlib(let parameters): return try Zlib.deflate(input, isLast: isLast, parameters, into: bound)
    #if ISAL
      case .isal(let level):
        let place = places[number % places.count]
        return try ISAL.deflate(input, isLast: isLast, level: level, at: place, into: bound)
    #endif
    }
  }

  /// The CRC-32 of some bytes, by the engine that is the fastest here.
  package static func crc32(_ input: [UInt8]) -> UInt32 {
    #if ISAL
      ISAL.crc32(input)
    #else
      Zlib.crc32(input)
    #endif
  }
}
