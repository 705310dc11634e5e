import System

/// What a member's extra field says that matters to a reader.
///
/// APPNOTE 4.5.
struct ExtraFieldReader {
  /// The values of the zip64 extended information: as many as the header has marks.
  private(set) var zip64: [UInt64]?
  /// The extended timestamp's modification time: seconds since 1970.
  private(set) var modified: Int64?

  /// Whether it has only what `ZipWriter` writes, as it writes it.
  private(set) var isOwn = true

  /// Info-ZIP's Unicode Path: a second name, which another program would take for the first.
  private static let unicodePath: UInt16 = 0x7075

  init(_ bytes: [UInt8], member: String, at offset: UInt64) throws(ZipReadError) {
    var seen: Set<UInt16> = []
    var rest = 0
    while rest < bytes.count {
      guard rest + 4 <= bytes.count else { throw Self.broken(member, offset) }
      let id: UInt16 = bytes.littleEndian(at: rest)
      let count = Int(bytes.littleEndian(at: rest + 2) as UInt16)
      let start = rest + 4
      guard start + count <= bytes.count, seen.insert(id).inserted else { throw Self.broken(member, offset) }
      switch id {
      case Zip64ExtendedInformation.headerID:
        guard count % 8 == 0, count <= 24 else { throw Self.broken(member, offset) }
        zip64 = (0..<count / 8).map { bytes.littleEndian(at: start + 8 * $0) }
      case ExtendedTimestamp.headerID where count >= 5 && bytes[start] & 1 == 1:
        modified = Int64(Int32(bitPattern: bytes.littleEndian(at: start + 1)))
        if count != 5 || bytes[start] != 1 { isOwn = false }
      case AlignmentPadding.headerID:
        // Nothing else can hide there, and no damage.
        guard bytes[start..<start + count].dropFirst(2).allSatisfy({ $0 == 0 }) else {
          throw ZipReadError(.invalid("its padding is not zeros"), member: member, at: offset)
        }
        // An alignment is a power of two.
        if count < 2 || (bytes.littleEndian(at: start) as UInt16).nonzeroBitCount != 1 { isOwn = false }
      case Self.unicodePath:
        throw ZipReadError(.unsupported("a second name in the extra field"), member: member, at: offset)
      default: isOwn = false
      }
      rest = start + count
    }
  }

  private static func broken(_ member: String, _ offset: UInt64) -> ZipReadError {
    ZipReadError(.invalid("its extra field is no list of blocks"), member: member, at: offset)
  }
}
