import System

/// A central directory header that was read. See ``CentralDirectoryHeader``.
struct CentralRecord {
  static let signature: UInt32 = 0x0201_4b50
  private static let fixedCount = 46
  private static let unix: UInt16 = 3

  /// Where it stands.
  let offset: UInt64
  let name: String
  let sizes: MemberSizes
  let localHeaderOffset: UInt64
  /// Unix permission bits; `0o644` when it says nothing of them.
  let permissions: UInt16

  /// Whether it says that `ZipWriter` has made it.
  let isOwn: Bool
  /// Whether the fields that no other record confirms are as `ZipWriter` writes them, but for the permissions.
  private let isAsWritten: Bool

  private let fields: MemberFields
  private let fileName: [UInt8]
  private let extra: ExtraFieldReader

  init(_ input: inout ArchiveInput) throws(ZipReadError) {
    offset = input.offset
    guard try input.peekSignature() == Self.signature else {
      throw ZipReadError(.missing("central directory header"), at: offset)
    }
    let bytes = try input.bytes(Self.fixedCount)
    fields = MemberFields(bytes, at: 6)
    fileName = try input.bytes(Int(bytes.littleEndian(at: 28) as UInt16))
    name = try fields.name(fileName, at: offset)
    extra = try ExtraFieldReader(
      try input.bytes(Int(bytes.littleEndian(at: 30) as UInt16)), member: name, at: offset)
    guard bytes.littleEndian(at: 32) as UInt16 == 0 else {
      throw ZipReadError(.unsupported("a comment"), member: name, at: offset)
    }
    guard bytes.littleEndian(at: 34) as UInt16 == 0 else {
      throw ZipReadError(.unsupported("an archive in several parts"), member: name, at: offset)
    }
    // 7-Zip gives the same version, and has another extra field.
    let isOwnVersion = bytes.littleEndian(at: 4) as UInt16 == CentralDirectoryHeader.versionMadeBy
    isOwn = isOwnVersion && extra.isOwn && extra.modified != nil
    // The internal attributes, and of the external ones what is no Unix mode.
    let attributes = [36, 38].map { bytes.littleEndian(at: $0) as UInt16 }
    let type = (bytes.littleEndian(at: 40) as UInt16) & ~0o777
    isAsWritten =
      isOwnVersion && extra.isOwn && attributes == [0, 0] && type == CentralDirectoryHeader.regularFile
      && MemberFormat.isVersionNeeded(bytes.littleEndian(at: 6))
    let isUnix = (bytes.littleEndian(at: 4) as UInt16) >> 8 == Self.unix
    let mode: UInt16 = isUnix ? bytes.littleEndian(at: 40) : 0
    // What other programs leave out. With a type, 000 is the mode that the file had.
    permissions = mode == 0 ? 0o644 : mode & 0o777
    let isDirectory = BytePath(fileName).hasSuffix("/")
    let expected = isDirectory ? 0o040_000 : CentralDirectoryHeader.regularFile
    guard [0, expected].contains(mode & 0o170_000) else {
      throw ZipReadError(.notARegularFile(mode: mode), member: name, at: offset)
    }

    let values: [UInt64]
    do throws(ZipReadError.Fault) {
      values = try Self.values(
        of: [fields.uncompressedSize, fields.compressedSize, bytes.littleEndian(at: 42)], extra.zip64)
    } catch {
      throw ZipReadError(error, member: name, at: offset)
    }
    sizes = MemberSizes(crc32: fields.crc32, compressed: values[1], uncompressed: values[0])
    localHeaderOffset = values[2]
  }

  /// APPNOTE 4.5.3: the extra field has the values whose fields have the mark, in this order, and no others.
  private static func values(
    of fields: [UInt32], _ zip64: [UInt64]?
  ) throws(ZipReadError.Fault) -> [UInt64] {
    var zip64 = zip64?[...]
    var values: [UInt64] = []
    for field in fields {
      guard field == .max else {
        values.append(UInt64(field))
        continue
      }
      guard let value = zip64?.popFirst() else {
        throw .invalid("zip64 values are announced and are not there")
      }
      values.append(value)
    }
    guard zip64?.isEmpty ?? true else { throw .invalid("zip64 values where none are announced") }
    return values
  }

  /// Compares it with the local header that it speaks of.
  ///
  /// - Parameter isOwn: whether `ZipWriter` has made the archive.
  /// - Throws: ``ZipReadError``, also if the data cannot be read here.
  func check(_ local: LocalRecord, isOwn: Bool) throws(ZipReadError) {
    for (agrees, field) in [
      (fileName == local.fileName, "name"), (fields.flags == local.fields.flags, "flags"),
      (fields.method == local.fields.method, "compression method"),
      (fields.time == local.fields.time && fields.date == local.fields.date, "time"),
      (extra.modified == local.extra.modified, "extended time"),
    ] where !agrees {
      throw ZipReadError(.disagreement(field), member: local.name, at: offset)
    }
    try local.checkSupport(isOwn: isOwn)
    try local.check(sizes)
  }

  /// Finds damage in fields that stand nowhere else, in an archive that `ZipWriter` has made.
  ///
  /// Archives of other programs have their own values there. One record of ours says that all of them are.
  func checkOwn(_ local: LocalRecord) throws(ZipReadError) {
    // It writes no folders: another program has added them, and they have no data.
    guard local.isDirectory || isAsWritten && local.isOwn else {
      throw ZipReadError(
        .invalid("versions, attributes or an extra field that the maker of this archive does not write"),
        member: name, at: offset)
    }
  }

  /// Compares it with what was found.
  func check(_ found: MemberSizes) throws(ZipReadError) {
    guard sizes == found else {
      throw ZipReadError(.disagreement("CRC-32 or sizes"), member: name, at: offset)
    }
  }
}
