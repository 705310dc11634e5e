import System

/// Data as it is, in deflate's stored blocks: the encoder for `store`, whose length follows from the data's alone.
///
///     +---------------------+-----+------+================+
///     | BFINAL, BTYPE 00, 0 | LEN | NLEN |  LEN literals  |     1 + 2 + 2 + LEN bytes
///     +---------------------+-----+------+================+
///
/// RFC 1951 §3.2.4.
package enum StoredBlocks {
  /// The most that `LEN` can say.
  package static let maximumCount = 0xffff
  package static let headerCount = 5

  /// Where a stored member's block of ``DeflateEngine/blockSize`` begins, from the beginning of its data on.
  package static func offset(ofBlock index: UInt64) -> UInt64 {
    index * UInt64(encodedCount(of: DeflateEngine.blockSize, isLast: false))
  }

  /// Encodes data that begins on a byte boundary, and leaves the stream on one. No data is no block, unless it is the
  /// last: a stream must have one that says so.
  static func encode(_ input: [UInt8], isLast: Bool) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(encodedCount(of: input.count, isLast: isLast))
    var rest = input[...]
    while !rest.isEmpty || (isLast && output.isEmpty) {
      let literals = rest.prefix(maximumCount)
      rest = rest.dropFirst(literals.count)
      // BFINAL is the lowest bit, BTYPE 00 the next two; the others pad to the byte boundary.
      output.append(isLast && rest.isEmpty ? 1 : 0)
      output.append(littleEndian: UInt16(literals.count))
      output.append(littleEndian: ~UInt16(literals.count))
      output.append(contentsOf: literals)
    }
    return output
  }

  /// The length of what ``encode(_:isLast:)`` makes of this much data.
  static func encodedCount(of count: Int, isLast: Bool) -> Int {
    let blocks = (count + maximumCount - 1) / maximumCount
    return count + headerCount * (isLast ? max(blocks, 1) : blocks)
  }

  /// The length of a whole member, stored, when it is cut into blocks of ``DeflateEngine/blockSize``.
  static func encodedCount(ofMember size: UInt64) -> UInt64 {
    let blockSize = UInt64(DeflateEngine.blockSize)
    let whole = size == 0 ? 0 : (size - 1) / blockSize
    let last = Int(size - whole * blockSize)
    return whole * UInt64(encodedCount(of: DeflateEngine.blockSize, isLast: false))
      + UInt64(encodedCount(of: last, isLast: true))
  }
}
