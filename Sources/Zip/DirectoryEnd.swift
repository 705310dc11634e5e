import System

/// Where a central directory is.
struct DirectoryPlace: Equatable {
  let count: UInt64
  let offset: UInt64
  let size: UInt64
}

/// What follows the central directory. See ``EndOfCentralDirectory`` and ``Zip64EndOfCentralDirectory``.
struct DirectoryEnd {
  static let count = 22
  static let locatorCount = 20
  static let zip64Count = 56
  static let signature: UInt32 = 0x0605_4b50
  private static let locatorSignature: UInt32 = 0x0706_4b50
  private static let zip64Signature: UInt32 = 0x0606_4b50

  private let offset: UInt64
  /// Fields that hold the mark are not compared: what they stand for is in the zip64 record.
  private let classic: (count: UInt16, size: UInt32, offset: UInt32)
  private let zip64: DirectoryPlace?

  /// Reads all that comes from where the directory's last header ends.
  init(_ input: inout ArchiveInput) throws(ZipReadError) {
    offset = input.offset
    zip64 = try input.peekSignature() == Self.zip64Signature ? Self.readZip64(&input) : nil
    let end = try input.bytes(Self.count)
    classic = try Self.classic(end, at: input.offset - UInt64(Self.count))
  }

  /// Reads where the directory begins, from the end of a file.
  static func directoryOffset(_ descriptor: CInt, byteCount: UInt64) throws(ZipReadError) -> UInt64 {
    guard byteCount >= UInt64(count) else { throw ZipReadError(.truncated, at: byteCount) }
    let start = byteCount - UInt64(count)
    var input = ArchiveInput(file: descriptor, range: start..<byteCount, bufferSize: count)
    let end = try classic(try input.bytes(count), at: start)
    guard end.offset == .max else { return UInt64(end.offset) }
    let recordsCount = UInt64(zip64Count + locatorCount)
    guard start >= recordsCount else {
      throw ZipReadError(.missing("zip64 end of central directory record"), at: start)
    }
    input = ArchiveInput(
      file: descriptor, range: start - recordsCount..<start, bufferSize: Int(recordsCount))
    return try readZip64(&input).offset
  }

  private static func classic(
    _ bytes: [UInt8], at offset: UInt64
  ) throws(ZipReadError) -> (count: UInt16, size: UInt32, offset: UInt32) {
    // A comment would stand behind it, so that it would not be found here.
    guard bytes.littleEndian(at: 0) as UInt32 == signature, bytes.littleEndian(at: 20) as UInt16 == 0 else {
      throw ZipReadError(.missing("end of central directory record"), at: offset)
    }
    let total: UInt16 = bytes.littleEndian(at: 10)
    guard bytes.littleEndian(at: 4) as UInt32 == 0, bytes.littleEndian(at: 8) as UInt16 == total else {
      throw ZipReadError(.unsupported("an archive in several parts"), at: offset)
    }
    return (total, bytes.littleEndian(at: 12), bytes.littleEndian(at: 16))
  }

  private static func readZip64(_ input: inout ArchiveInput) throws(ZipReadError) -> DirectoryPlace {
    let offset = input.offset
    let record = try input.bytes(zip64Count)
    guard record.littleEndian(at: 0) as UInt32 == zip64Signature,
      record.littleEndian(at: 4) as UInt64 == Zip64EndOfCentralDirectory.remainingSize
    else { throw ZipReadError(.missing("zip64 end of central directory record"), at: offset) }
    let count: UInt64 = record.littleEndian(at: 32)
    guard record.littleEndian(at: 16) as UInt64 == 0, record.littleEndian(at: 24) as UInt64 == count else {
      throw ZipReadError(.unsupported("an archive in several parts"), at: offset)
    }
    let locator = try input.bytes(locatorCount)
    guard locator.littleEndian(at: 0) as UInt32 == locatorSignature,
      locator.littleEndian(at: 4) as UInt32 == 0, locator.littleEndian(at: 8) as UInt64 == offset,
      locator.littleEndian(at: 16) as UInt32 == 1
    else { throw ZipReadError(.missing("zip64 end of central directory locator"), at: offset) }
    return DirectoryPlace(
      count: count, offset: record.littleEndian(at: 48), size: record.littleEndian(at: 40))
  }

  /// Compares what it says with what was found.
  func check(_ found: DirectoryPlace) throws(ZipReadError) {
    let place =
      zip64
      ?? DirectoryPlace(
        count: UInt64(classic.count), offset: UInt64(classic.offset), size: UInt64(classic.size))
    let marksAgree =
      zip64 == nil
      || [UInt64(UInt16.max), found.count].contains(UInt64(classic.count))
        && [UInt64(UInt32.max), found.size].contains(UInt64(classic.size))
        && [UInt64(UInt32.max), found.offset].contains(UInt64(classic.offset))
    guard place == found, marksAgree else {
      throw ZipReadError(.invalid("the end of the archive describes another central directory"), at: offset)
    }
  }
}
