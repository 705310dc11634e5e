import Delta
import System
import Zip

/// Makes the VCDIFF that turns the archive which a client has into the one that is being made. Both are stored.
///
/// Only units at one position in members of one name are compared: what has moved within a member counts as changed.
struct DeltaMaker {
  /// Zeros at the end of a record, from which on they are an instruction of their own.
  private static let shortestRun = 64

  private let base: ArchiveHistory
  private var writer = VCDIFFWriter()
  private var gzip: GzipWriter?
  /// The client's member of the same name.
  private var member: ArchiveHistory.Member?
  private var name = ""
  private var size: UInt64 = 0
  /// Of each piece that was ever made: a strong tag names bytes, and a group of digests may be damaged meanwhile.
  private var pieces = MadeBlocks()

  init(from base: ArchiveHistory, isGzipped: Bool) {
    self.base = base
    if isGzipped { gzip = GzipWriter(.default) }
  }

  /// Begins again from the first byte.
  func rewound() -> DeltaMaker {
    var rewound = DeltaMaker(from: base, isGzipped: false)
    rewound.gzip = gzip?.rewound()
    rewound.pieces = pieces.rewound()
    return rewound
  }

  /// Adds what stands before a member's data.
  mutating func begin(_ entry: ZipEntry, _ records: [UInt8]) {
    member = base.member(entry.name)
    name = entry.name
    size = entry.size
    add(records)
  }

  /// Adds what belongs to no data.
  mutating func add(_ records: [UInt8]) {
    let zeros = records.reversed().prefix { $0 == 0 }.count
    let isRun = zeros >= Self.shortestRun
    writer.add(records, 0..<records.count - (isRun ? zeros : 0))
    if isRun { writer.run(0, count: zeros) }
  }

  /// Adds a block of the member: the parts of it that its client has are copied.
  ///
  /// - Parameter index: of the block in its member.
  mutating func add(_ block: Block.Made, at index: Int) {
    let bytes = block.deflated.bytes
    let count = block.deflated.uncompressedCount
    guard let member else { return writer.add(bytes) }
    let start = UInt64(index) * UInt64(DeflateEngine.blockSize)
    let firstUnit = start / UInt64(UnitHash.unitSize)
    let unitCount = (count + UnitHash.unitSize - 1) / UnitHash.unitSize
    let isSame = (0..<unitCount).map { unit in
      member.byteCount(ofUnit: firstUnit + UInt64(unit))
        == min(UnitHash.unitSize, count - unit * UnitHash.unitSize)
        && base.matches(firstUnit + UInt64(unit), of: member, block.unitDigests, at: unit)
    }
    let source = member.dataOffset + StoredBlocks.offset(ofBlock: UInt64(index))
    var position = 0
    func piece(_ length: Int, isSame: Bool) {
      if isSame {
        writer.copy(source + UInt64(position)..<source + UInt64(position + length))
      } else {
        writer.add(bytes, position..<position + length)
      }
      position += length
    }
    // The stored blocks of both stand at the same places, whatever the sizes: StoredBlocks.encode.
    var data = 0
    repeat {
      let literals = min(StoredBlocks.maximumCount, count - data)
      let isSameHeader =
        header(at: start + UInt64(data), of: member.size) == header(at: start + UInt64(data), of: size)
      piece(
        StoredBlocks.headerCount,
        isSame: isSameHeader && literals > 0 && isSame[data / UnitHash.unitSize])
      let end = data + literals
      while data < end {
        let unit = data / UnitHash.unitSize
        let next = min(end, (unit + 1) * UnitHash.unitSize)
        piece(next - data, isSame: isSame[unit])
        data = next
      }
    } while data < count
  }

  /// What the header of the stored block says that begins at an offset of a member: how many literals follow, and whether
  /// it is the last. Nil if none begins there.
  private func header(at offset: UInt64, of size: UInt64) -> StoredHeader? {
    guard offset < size else { return nil }
    let blockSize = UInt64(DeflateEngine.blockSize)
    let blockEnd = min(size, (offset / blockSize + 1) * blockSize)
    let literals = min(UInt64(StoredBlocks.maximumCount), blockEnd - offset)
    return StoredHeader(literals: literals, isLast: offset + literals == size)
  }

  private struct StoredHeader: Equatable {
    let literals: UInt64
    let isLast: Bool
  }

  /// The windows that are whole.
  ///
  /// - Parameter isRecorded: whether what is made for the first time is recorded.
  /// - Throws: `zip`; `changed` if it is not what was made before.
  mutating func takeOutput(isRecorded: Bool) throws(BackupError) -> [UInt8] {
    var output = writer.takeOutput()
    if gzip != nil {
      do throws(ZipError) {
        try gzip?.add(output)
        output = gzip?.takeOutput() ?? []
      } catch {
        throw .zip(error)
      }
    }
    try check(output, isRecorded: isRecorded)
    return output
  }

  /// Ends it.
  mutating func finish(isRecorded: Bool) throws(BackupError) -> [UInt8] {
    writer.finish()
    var output = writer.takeOutput()
    if gzip != nil {
      do throws(ZipError) {
        try gzip?.add(output)
        try gzip?.finish()
        output = gzip?.takeOutput() ?? []
      } catch {
        throw .zip(error)
      }
    }
    try check(output, isRecorded: isRecorded)
    return output
  }

  private mutating func check(_ output: [UInt8], isRecorded: Bool) throws(BackupError) {
    guard output.isEmpty || pieces.agrees(output, isRecorded: isRecorded) else { throw .changed(path: name) }
  }
}
