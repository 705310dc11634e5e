import Zip

/// The CRC-32 of every block as it stands in an archive that may be made again, or of every piece of a delta, as far as it was
/// ever made: 16 MiB for each TiB.
///
/// A strong tag names bytes. A snapshot is the same whenever it is read. A plain file may not be, and then what a client
/// gets now and what it got earlier belong to no one archive.
struct MadeBlocks {
  private var checksums: [UInt32] = []
  private var next = 0

  /// What is known, for an archive that is made again from its first block.
  func rewound() -> MadeBlocks {
    var rewound = self
    rewound.next = 0
    return rewound
  }

  /// Whether the next block is as it was when it was made before, if it was.
  ///
  /// - Parameter isRecorded: whether one that is made for the first time is recorded.
  mutating func agrees(_ bytes: [UInt8], isRecorded: Bool) -> Bool {
    guard next < checksums.count || isRecorded else {
      next += 1
      return true
    }
    return agrees(crc32: DeflateEngine.crc32(bytes), isRecorded: isRecorded)
  }

  /// The same by the CRC-32 of a block's data: of two stored blocks, all else is the same.
  mutating func agrees(crc32: UInt32, isRecorded: Bool) -> Bool {
    defer { next += 1 }
    guard next < checksums.count || isRecorded else { return true }
    if next == checksums.count { checksums.append(crc32) }
    return checksums[next] == crc32
  }
}
