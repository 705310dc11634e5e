import System

/// Where the central directory is, when ``EndOfCentralDirectory`` has no room to say it.
///
///     zip64 end of central dir
///     signature                       4 bytes  (0x06064b50)
///     size of zip64 end of central
///     directory record                8 bytes
///     version made by                 2 bytes
///     version needed to extract       2 bytes
///     number of this disk             4 bytes
///     number of the disk with the
///     start of the central directory  4 bytes
///     total number of entries in the
///     central directory on this disk  8 bytes
///     total number of entries in the
///     central directory               8 bytes
///     size of the central directory   8 bytes
///     offset of start of central
///     directory with respect to
///     the starting disk number        8 bytes
///     zip64 extensible data sector    (variable size)
///
/// APPNOTE 4.3.14.
struct Zip64EndOfCentralDirectory {
  /// APPNOTE 4.3.14.1: "The value stored into the 'size of zip64 end of central directory record' SHOULD be the size of
  /// the remaining record and SHOULD NOT include the leading 12 bytes."
  static let remainingSize: UInt64 = 56 - 12

  let record: EndOfCentralDirectory

  func append(to output: inout [UInt8]) {
    output.append(littleEndian: 0x0606_4b50 as UInt32)  // zip64 end of central dir signature
    output.append(littleEndian: Self.remainingSize)  // size of zip64 end of central directory record
    output.append(littleEndian: CentralDirectoryHeader.versionMadeBy)  // version made by
    output.append(littleEndian: MemberFormat.versionNeeded(isZip64: true))  // version needed to extract
    output.append(littleEndian: 0 as UInt32)  // number of this disk
    output.append(littleEndian: 0 as UInt32)  // number of the disk with the start of the central directory
    output.append(littleEndian: record.entryCount)  // total number of entries on this disk
    output.append(littleEndian: record.entryCount)  // total number of entries
    output.append(littleEndian: record.directorySize)  // size of the central directory
    output.append(littleEndian: record.directoryOffset)  // offset of start of central directory
  }
}

/// Where the ``Zip64EndOfCentralDirectory`` is. It stands right before the ``EndOfCentralDirectory``.
///
///     zip64 end of central dir locator
///     signature                       4 bytes  (0x07064b50)
///     number of the disk with the
///     start of the zip64 end of
///     central directory               4 bytes
///     relative offset of the zip64
///     end of central directory record 8 bytes
///     total number of disks           4 bytes
///
/// APPNOTE 4.3.15.
struct Zip64EndOfCentralDirectoryLocator {
  let recordOffset: UInt64

  func append(to output: inout [UInt8]) {
    output.append(littleEndian: 0x0706_4b50 as UInt32)  // zip64 end of central dir locator signature
    output.append(littleEndian: 0 as UInt32)  // number of the disk with the zip64 end of central directory
    output.append(littleEndian: recordOffset)  // relative offset of the zip64 end of central directory record
    output.append(littleEndian: 1 as UInt32)  // total number of disks
  }
}
