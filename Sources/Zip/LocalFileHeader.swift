import System

/// What stands before a member's data.
///
///     local file header signature     4 bytes  (0x04034b50)
///     version needed to extract       2 bytes
///     general purpose bit flag        2 bytes
///     compression method              2 bytes
///     last mod file time              2 bytes
///     last mod file date              2 bytes
///     crc-32                          4 bytes
///     compressed size                 4 bytes
///     uncompressed size               4 bytes
///     file name length                2 bytes
///     extra field length              2 bytes
///     file name (variable size)
///     extra field (variable size)
///
/// APPNOTE 4.3.7.
struct LocalFileHeader {
  private static let fixedCount = 30

  let fileName: [UInt8]
  let modified: Int64
  /// Whether the sizes have eight bytes, in the extra field and in the data descriptor.
  let isZip64: Bool

  /// - Parameters:
  ///   - offset: where it stands in the archive.
  ///   - alignment: in bytes, of the data after it; nil for none.
  func append(to output: inout [UInt8], at offset: UInt64, aligningTo alignment: UInt16?) {
    var extraField: [UInt8] = []
    // APPNOTE 4.4.4: with bit 3, "The fields crc-32, compressed size and uncompressed size are set to zero in the
    // local header." In zip64, so are the values in the extra field, and their fields have the mark.
    if isZip64 {
      Zip64ExtendedInformation.local(originalSize: 0, compressedSize: 0).append(to: &extraField)
    }
    ExtendedTimestamp(secondsSince1970: modified)?.append(to: &extraField)
    if let alignment {
      let begin = offset + UInt64(Self.fixedCount + fileName.count + extraField.count)
      AlignmentPadding(to: alignment, at: begin).append(to: &extraField)
    }

    let lastModified = DOSDateTime(secondsSince1970: modified)
    let size: UInt32 = isZip64 ? .max : 0

    output.append(littleEndian: 0x0403_4b50 as UInt32)  // local file header signature
    output.append(littleEndian: MemberFormat.versionNeeded(isZip64: isZip64))  // version needed to extract
    output.append(littleEndian: MemberFormat.generalPurposeBitFlag)  // general purpose bit flag
    output.append(littleEndian: MemberFormat.compressionMethod)  // compression method
    output.append(littleEndian: lastModified.time)  // last mod file time
    output.append(littleEndian: lastModified.date)  // last mod file date
    output.append(littleEndian: 0 as UInt32)  // crc-32
    output.append(littleEndian: size)  // compressed size
    output.append(littleEndian: size)  // uncompressed size
    output.append(littleEndian: UInt16(fileName.count))  // file name length
    output.append(littleEndian: UInt16(extraField.count))  // extra field length
    output += fileName  // file name
    output += extraField  // extra field
  }
}

/// The fields in which every member's headers, the local and the central one, agree.
enum MemberFormat {
  /// Bit 3: sizes and CRC follow the data. Bit 11: the name is UTF-8. APPNOTE 4.4.4.
  static let generalPurposeBitFlag: UInt16 = 1 << 3 | 1 << 11

  /// 8: the file is deflated. APPNOTE 4.4.5.
  static let compressionMethod: UInt16 = 8

  /// 2.0 for deflate, 4.5 for zip64. APPNOTE 4.4.3.2.
  static func versionNeeded(isZip64: Bool) -> UInt16 { isZip64 ? 45 : 20 }

  /// Whether it is one of these.
  static func isVersionNeeded(_ version: UInt16) -> Bool {
    [false, true].contains { versionNeeded(isZip64: $0) == version }
  }
}
