import System

/// The fields that stand in a member's local and in its central header, and are to agree.
struct MemberFields: Equatable {
  static let stored: UInt16 = 0
  static let deflated: UInt16 = 8

  let flags: UInt16
  let method: UInt16
  let time: UInt16
  let date: UInt16
  let crc32: UInt32
  let compressedSize: UInt32
  let uncompressedSize: UInt32
  /// What keeps the data from being read here; nil if nothing does.
  let unsupported: String?

  /// Bits 1 and 2 tell how hard was compressed, 3 and 11 what `MemberFormat` has. Any other changes what the data is.
  private static let knownFlags: UInt16 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 11
  /// With a password, with a certificate, with a hidden directory: APPNOTE 4.4.4.
  private static let encryptionFlags: UInt16 = 1 << 0 | 1 << 6 | 1 << 13
  private static let highestVersion: UInt16 = 45
  /// APPNOTE 4.4.5, of those that programs write.
  private static let methodNames: [UInt16: String] = [
    1: "shrink", 6: "implode", 9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd",
    99: "AES",
  ]

  /// - Parameter bytes: a header, of which the fields from "version needed to extract" begin at `start`.
  init(_ bytes: [UInt8], at start: Int) {
    flags = bytes.littleEndian(at: start + 2)
    method = bytes.littleEndian(at: start + 4)
    time = bytes.littleEndian(at: start + 6)
    date = bytes.littleEndian(at: start + 8)
    crc32 = bytes.littleEndian(at: start + 10)
    compressedSize = bytes.littleEndian(at: start + 14)
    uncompressedSize = bytes.littleEndian(at: start + 18)
    // The upper byte tells a system, and nothing that is needed.
    let version = (bytes.littleEndian(at: start) as UInt16) & 0xff
    unsupported =
      if flags & Self.encryptionFlags != 0 {
        "encryption"
      } else if method != Self.stored, method != Self.deflated {
        "compression method \(method)" + (Self.methodNames[method].map { " (\($0))" } ?? "")
      } else if flags & ~Self.knownFlags != 0 {
        "a patched member, or flags of no meaning"
      } else if version > Self.highestVersion {
        "version \(version / 10).\(version % 10) of the format"
      } else {
        nil
      }
  }

  /// Whether CRC and sizes stand behind the data.
  var hasDescriptor: Bool { flags & 1 << 3 != 0 }

  /// A name as these flags say that it is written.
  ///
  /// APPNOTE D.1: without bit 11 it is IBM Code Page 437, of which the ASCII half is the same.
  func name(_ bytes: [UInt8], at offset: UInt64) throws(ZipReadError) -> String {
    guard flags & 1 << 11 != 0 || bytes.allSatisfy({ $0 < 0x80 }) else {
      throw ZipReadError(.unsupported("a name that is not in UTF-8"), at: offset)
    }
    guard let name = String(validating: bytes, as: UTF8.self) else {
      throw ZipReadError(.invalid("a name that is said to be UTF-8 and is not"), at: offset)
    }
    return name
  }
}

/// A member's CRC-32 and sizes, as one of its records has them or as they were found.
struct MemberSizes: Equatable {
  let crc32: UInt32
  let compressed: UInt64
  let uncompressed: UInt64
}

/// A local file header that was read: what stands before a member's data. See ``LocalFileHeader``.
struct LocalRecord {
  static let signature: UInt32 = 0x0403_4b50
  private static let fixedCount = 30

  /// Where it stands.
  let offset: UInt64
  let fields: MemberFields
  let fileName: [UInt8]
  /// With its slash if it is a directory's.
  let name: String
  let extra: ExtraFieldReader
  /// Whether the fields that no other record confirms are as `ZipWriter` writes them.
  let isOwn: Bool
  /// Whether its extra field is as `ZipWriter` writes it.
  var hasOwnExtra: Bool { extra.isOwn && extra.modified != nil }

  var isDirectory: Bool { BytePath(fileName).hasSuffix("/") }
  /// Without the slash.
  var path: String { BytePath(fileName).removing(suffix: "/")?.string ?? name }
  /// Seconds since 1970.
  var modified: Int64 {
    extra.modified ?? DOSDateTime(time: fields.time, date: fields.date).secondsSince1970
  }

  /// - Throws: ``ZipReadError``, also for a name that could lead astray.
  init(_ input: inout ArchiveInput) throws(ZipReadError) {
    offset = input.offset
    guard try input.peekSignature() == Self.signature else {
      throw ZipReadError(.missing("local file header"), at: offset)
    }
    let bytes = try input.bytes(Self.fixedCount)
    fields = MemberFields(bytes, at: 4)
    fileName = try input.bytes(Int(bytes.littleEndian(at: 26) as UInt16))
    name = try fields.name(fileName, at: offset)
    extra = try ExtraFieldReader(
      try input.bytes(Int(bytes.littleEndian(at: 28) as UInt16)), member: name, at: offset)
    isOwn = extra.isOwn && MemberFormat.isVersionNeeded(bytes.littleEndian(at: 4))
    do { try ZipEntry(name: path, modified: 0, permissions: 0, size: 0).checkName() } catch {
      guard case .unsafeName(_, let fault) = error else { fatalError("checkName has one error") }
      throw ZipReadError(.unsafeName(fault), member: name, at: offset)
    }
    if let zip64 = extra.zip64 {
      // APPNOTE 4.5.3: both sizes, and both have the mark.
      guard zip64.count == 2, fields.compressedSize == .max, fields.uncompressedSize == .max else {
        throw ZipReadError(.invalid("zip64 sizes where none are announced"), member: name, at: offset)
      }
    } else if fields.compressedSize == .max || fields.uncompressedSize == .max {
      throw ZipReadError(.invalid("zip64 sizes are announced and are not there"), member: name, at: offset)
    }
  }

  /// - Parameter isOwn: whether `ZipWriter` has made the archive: then it is damaged.
  /// - Throws: ``ZipReadError`` if the data cannot be read here.
  func checkSupport(isOwn: Bool) throws(ZipReadError) {
    guard let what = fields.unsupported else { return }
    throw ZipReadError(
      isOwn ? .invalid("\(what), which the maker of this archive does not write") : .undecodable(what),
      member: name,
      at: offset)
  }

  /// What it says of the data; nil if that stands behind it.
  ///
  /// APPNOTE 4.4.4: with bit 3 all of it "are set to zero".
  func promisedSizes() throws(ZipReadError) -> MemberSizes? {
    let sizes = MemberSizes(
      crc32: fields.crc32, compressed: extra.zip64?[1] ?? UInt64(fields.compressedSize),
      uncompressed: extra.zip64?[0] ?? UInt64(fields.uncompressedSize))
    guard fields.hasDescriptor else { return sizes }
    guard sizes == MemberSizes(crc32: 0, compressed: 0, uncompressed: 0) else {
      throw ZipReadError(
        .invalid("its sizes are told before its data and after it"), member: name, at: offset)
    }
    return nil
  }

  /// Compares sizes from elsewhere with what is said here.
  func check(_ sizes: MemberSizes) throws(ZipReadError) {
    if let promised = try promisedSizes(), promised != sizes {
      throw ZipReadError(.disagreement("CRC-32 or sizes"), member: name, at: offset)
    }
    guard sizes.uncompressed <= ZipEntry.maximumSize else {
      throw ZipReadError(.tooLarge(limit: ZipEntry.maximumSize), member: name, at: offset)
    }
    let isPossible =
      fields.method == MemberFields.stored
      ? sizes.compressed == sizes.uncompressed
      : sizes.uncompressed / Inflater.highestRatio <= sizes.compressed
    guard isPossible else { throw ZipReadError(.impossibleRatio, member: name, at: offset) }
    guard !isDirectory || sizes.uncompressed == 0 else {
      throw ZipReadError(.invalid("a directory that has data"), member: name, at: offset)
    }
  }
}

extension DataDescriptor {
  /// Reads one that begins with its signature, as everybody writes it.
  static func read(
    _ input: inout ArchiveInput, isZip64: Bool, member: String
  ) throws(ZipReadError) -> MemberSizes {
    let offset = input.offset
    let bytes = try input.bytes(isZip64 ? 24 : 16)
    guard bytes.littleEndian(at: 0) as UInt32 == 0x0807_4b50 else {
      throw ZipReadError(.missing("data descriptor"), member: member, at: offset)
    }
    return MemberSizes(
      crc32: bytes.littleEndian(at: 4),
      compressed: isZip64 ? bytes.littleEndian(at: 8) : UInt64(bytes.littleEndian(at: 8) as UInt32),
      uncompressed: isZip64 ? bytes.littleEndian(at: 16) : UInt64(bytes.littleEndian(at: 12) as UInt32))
  }
}
