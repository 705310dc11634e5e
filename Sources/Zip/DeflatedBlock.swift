/// A block compressed by itself. The blocks of one member, joined in order, are one deflate stream.
package struct DeflatedBlock: Sendable {
  /// The compressed bytes, which begin and end on a byte boundary.
  package var bytes: [UInt8]
  /// The CRC-32 of the data before it was compressed.
  package var crc32: UInt32
  /// How many bytes of data were compressed.
  package var uncompressedCount: Int
  /// Whether the stream ends with this block.
  package var isLast: Bool
}

/// What the offsets of an archive need to know of a block: everything but its bytes.
struct BlockLengths {
  let compressedCount: UInt64
  let uncompressedCount: UInt64
  let isLast: Bool
}
