import System

/// One member as the central directory lists it.
///
///     central file header signature   4 bytes  (0x02014b50)
///     version made by                 2 bytes
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
///     file comment length             2 bytes
///     disk number start               2 bytes
///     internal file attributes        2 bytes
///     external file attributes        4 bytes
///     relative offset of local header 4 bytes
///     file name (variable size)
///     extra field (variable size)
///     file comment (variable size)
///
/// APPNOTE 4.3.12.
struct CentralDirectoryHeader {
  /// The host that gives the external attributes their meaning, 3 for Unix, and the version of APPNOTE followed here,
  /// 6.3. APPNOTE 4.4.2.
  static let versionMadeBy: UInt16 = 3 << 8 | 63

  /// `S_IFREG`: what a Unix mode has in its type bits for a regular file.
  static let regularFile: UInt16 = 0o100_000

  let localFileHeader: LocalFileHeader
  let permissions: UInt16
  let descriptor: DataDescriptor
  let localHeaderOffset: UInt64

  func append(to output: inout [UInt8], limits: ZipLimits) {
    let zip64 = Zip64ExtendedInformation.central(
      originalSize: descriptor.uncompressedSize, compressedSize: descriptor.compressedSize,
      localHeaderOffset: localHeaderOffset, limits: limits)
    var extraField: [UInt8] = []
    zip64?.append(to: &extraField)
    ExtendedTimestamp(secondsSince1970: localFileHeader.modified)?.append(to: &extraField)

    let lastModified = DOSDateTime(secondsSince1970: localFileHeader.modified)
    let fileName = localFileHeader.fileName
    let isZip64 = localFileHeader.isZip64 || zip64 != nil
    let mode = Self.regularFile | permissions & 0o7777

    output.append(littleEndian: 0x0201_4b50 as UInt32)  // central file header signature
    output.append(littleEndian: Self.versionMadeBy)  // version made by
    output.append(littleEndian: MemberFormat.versionNeeded(isZip64: isZip64))  // version needed to extract
    output.append(littleEndian: MemberFormat.generalPurposeBitFlag)  // general purpose bit flag
    output.append(littleEndian: MemberFormat.compressionMethod)  // compression method
    output.append(littleEndian: lastModified.time)  // last mod file time
    output.append(littleEndian: lastModified.date)  // last mod file date
    output.append(littleEndian: descriptor.crc32)  // crc-32
    output.append(littleEndian: limits.field(size: descriptor.compressedSize))  // compressed size
    output.append(littleEndian: limits.field(size: descriptor.uncompressedSize))  // uncompressed size
    output.append(littleEndian: UInt16(fileName.count))  // file name length
    output.append(littleEndian: UInt16(extraField.count))  // extra field length
    output.append(littleEndian: 0 as UInt16)  // file comment length
    output.append(littleEndian: 0 as UInt16)  // disk number start
    output.append(littleEndian: 0 as UInt16)  // internal file attributes: not known to be text
    output.append(littleEndian: UInt32(mode) << 16)  // external file attributes
    output.append(littleEndian: limits.field(size: localHeaderOffset))  // relative offset of local header
    output += fileName  // file name
    output += extraField  // extra field
  }
}
