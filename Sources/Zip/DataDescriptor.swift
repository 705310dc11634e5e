import System

/// What stands behind a member's data: what was not known before it.
///
///     signature                       4 bytes  (0x08074b50)
///     crc-32                          4 bytes
///     compressed size                 4 bytes, or 8 in zip64
///     uncompressed size               4 bytes, or 8 in zip64
///
/// APPNOTE 4.3.9.
struct DataDescriptor {
  let crc32: UInt32
  let compressedSize: UInt64
  let uncompressedSize: UInt64
  /// Whether the sizes have eight bytes. APPNOTE 4.3.9.2: "if the zip64 extended information extra field is present
  /// for the file the compressed and uncompressed sizes will be 8 byte values", whatever they have come to be.
  let isZip64: Bool

  func append(to output: inout [UInt8]) {
    // APPNOTE 4.3.9.3: "Although not originally assigned a signature, the value 0x08074b50 has commonly been adopted".
    output.append(littleEndian: 0x0807_4b50 as UInt32)  // signature
    output.append(littleEndian: crc32)  // crc-32
    if isZip64 {
      output.append(littleEndian: compressedSize)  // compressed size
      output.append(littleEndian: uncompressedSize)  // uncompressed size
    } else {
      output.append(littleEndian: UInt32(compressedSize))  // compressed size
      output.append(littleEndian: UInt32(uncompressedSize))  // uncompressed size
    }
  }
}
