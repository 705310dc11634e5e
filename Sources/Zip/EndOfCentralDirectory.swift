import System

/// The last record of an archive: where its central directory is.
///
///     end of central dir signature    4 bytes  (0x06054b50)
///     number of this disk             2 bytes
///     number of the disk with the
///     start of the central directory  2 bytes
///     total number of entries in the
///     central directory on this disk  2 bytes
///     total number of entries in
///     the central directory           2 bytes
///     size of the central directory   4 bytes
///     offset of start of central
///     directory with respect to
///     the starting disk number        4 bytes
///     .ZIP file comment length        2 bytes
///     .ZIP file comment (variable size)
///
/// APPNOTE 4.3.16.
struct EndOfCentralDirectory {
  let entryCount: UInt64
  let directorySize: UInt64
  let directoryOffset: UInt64

  /// Whether a value does not fit here, so that a ``Zip64EndOfCentralDirectory`` must stand before.
  func needsZip64(_ limits: ZipLimits) -> Bool {
    entryCount >= limits.count || directorySize >= limits.size || directoryOffset >= limits.size
  }

  func append(to output: inout [UInt8], limits: ZipLimits) {
    output.append(littleEndian: 0x0605_4b50 as UInt32)  // end of central dir signature
    output.append(littleEndian: 0 as UInt16)  // number of this disk
    output.append(littleEndian: 0 as UInt16)  // number of the disk with the start of the central directory
    output.append(littleEndian: limits.field(count: entryCount))  // total number of entries on this disk
    output.append(littleEndian: limits.field(count: entryCount))  // total number of entries
    output.append(littleEndian: limits.field(size: directorySize))  // size of the central directory
    output.append(littleEndian: limits.field(size: directoryOffset))  // offset of start of central directory
    output.append(littleEndian: 0 as UInt16)  // .ZIP file comment length
  }
}
