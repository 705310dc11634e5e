import System

/// Writes a gzip file of one member, in blocks of ``DeflateEngine/blockSize``, each compressed by itself.
///
/// RFC 1952 §2.3.
package struct GzipWriter {
  private let engine: DeflateEngine
  /// What does not fill a block yet.
  private var rest: [UInt8] = []
  private var crc32: UInt32 = 0
  private var count: UInt32 = 0
  // ID1, ID2, CM 8: deflate, FLG, MTIME: none, XFL, OS 255: unknown.
  private var output: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]

  package init(_ compression: Compression) { self.init(DeflateEngine(compression)) }

  private init(_ engine: DeflateEngine) { self.engine = engine }

  /// One that makes the same bytes of the same once more.
  package func rewound() -> GzipWriter { GzipWriter(engine) }

  /// Adds bytes, and compresses what fills a block.
  ///
  /// - Throws: What ``DeflateEngine/deflate(_:isLast:)`` throws.
  package mutating func add(_ bytes: [UInt8]) throws(ZipError) {
    rest += bytes
    var start = 0
    while rest.count - start > DeflateEngine.blockSize {
      try append(Array(rest[start..<start + DeflateEngine.blockSize]), isLast: false)
      start += DeflateEngine.blockSize
    }
    rest.removeFirst(start)
  }

  /// What has been compressed since the last call.
  package mutating func takeOutput() -> [UInt8] {
    defer { output = [] }
    return output
  }

  /// Compresses the rest, and ends the file.
  package mutating func finish() throws(ZipError) {
    try append(rest, isLast: true)
    rest = []
    output.append(littleEndian: crc32)  // CRC32
    output.append(littleEndian: count)  // ISIZE, modulo 2^32
  }

  private mutating func append(_ bytes: [UInt8], isLast: Bool) throws(ZipError) {
    let block = try engine.deflate(bytes, isLast: isLast)
    crc32 = Zlib.crc32(crc32, joinedTo: block.crc32, ofCount: bytes.count)
    count &+= UInt32(bytes.count)
    output += block.bytes
  }
}
