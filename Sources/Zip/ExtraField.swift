import System

/// The zip64 extended information extra field: the values whose fields in the header hold only a mark.
///
/// APPNOTE 4.5.3.
struct Zip64ExtendedInformation {
  static let headerID: UInt16 = 0x0001

  /// Both sizes, of a local header: APPNOTE 4.5.3: "This entry in the Local header MUST include BOTH original and
  /// compressed file size fields."
  static func local(originalSize: UInt64, compressedSize: UInt64) -> Self {
    Self(values: [originalSize, compressedSize])
  }

  /// What of a central directory header's values does not fit there, or `nil` if all do.
  static func central(
    originalSize: UInt64, compressedSize: UInt64, localHeaderOffset: UInt64, limits: ZipLimits
  ) -> Self? {
    // "The order of the fields in the zip64 extended information record is fixed, but the fields MUST only appear if
    // the corresponding Local or Central directory record field is set to 0xFFFF or 0xFFFFFFFF."
    let values = [originalSize, compressedSize, localHeaderOffset].filter { $0 >= limits.size }
    return values.isEmpty ? nil : Self(values: values)
  }

  private let values: [UInt64]

  func append(to output: inout [UInt8]) {
    output.append(littleEndian: Self.headerID)
    output.append(littleEndian: UInt16(8 * values.count))  // size of this extra block
    for value in values { output.append(littleEndian: value) }
  }
}

/// The extended timestamp extra field: when the file was last changed, to the second and in UTC. Its local and its
/// central form are the same if it has no other time.
///
/// APPNOTE 4.6.1 gives the ID to Info-ZIP, whose `proginfo/extrafld.txt` defines it.
struct ExtendedTimestamp {
  static let headerID: UInt16 = 0x5455

  private let modificationTime: UInt32

  /// `nil` for a time after January 2038, which does not fit, and for one before 1970, which does but which unzip and
  /// libarchive take for one after 2038. The ``DOSDateTime`` comes closer to both.
  init?(secondsSince1970 seconds: Int64) {
    guard let modificationTime = Int32(exactly: seconds), modificationTime >= 0 else { return nil }
    self.modificationTime = UInt32(modificationTime)
  }

  func append(to output: inout [UInt8]) {
    output.append(littleEndian: Self.headerID)
    output.append(littleEndian: 5 as UInt16)  // size of this extra block
    output.append(1)  // info bits: the modification time is present
    output.append(littleEndian: modificationTime)
  }
}

/// The alignment extra field: zeros before a member's data, so that this begins at a multiple of some number of bytes. It
/// stands in the local header only, and last.
///
///     header ID     2 bytes  (0xd935)
///     size          2 bytes
///     alignment     2 bytes
///     zeros (variable size)
///
/// Android's zipalign and apksigner write it: https://developer.android.com/tools/zipalign.
struct AlignmentPadding {
  static let headerID: UInt16 = 0xd935
  private static let fixedCount: UInt64 = 6

  private let alignment: UInt16
  private let padding: Int

  /// - Parameter offset: where it stands in the archive.
  init(to alignment: UInt16, at offset: UInt64) {
    self.alignment = alignment
    let excess = (offset + Self.fixedCount) % UInt64(alignment)
    padding = excess == 0 ? 0 : Int(UInt64(alignment) - excess)
  }

  func append(to output: inout [UInt8]) {
    output.append(littleEndian: Self.headerID)
    output.append(littleEndian: UInt16(2 + padding))  // size of this extra block
    output.append(littleEndian: alignment)
    output.append(contentsOf: repeatElement(0, count: padding))
  }
}
