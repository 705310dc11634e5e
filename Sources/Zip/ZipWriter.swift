import System

/// Writes the records of an archive around its members' data, and is the one authority on offsets. It does no input or
/// output: it appends records to a byte array, and the caller sends them and the blocks in the order of its calls.
///
///     [local file header 1] [file data 1] [data descriptor 1]      begin, add…, end
///     …
///     [central directory header 1] …                               finish
///     [zip64 end of central directory record]
///     [zip64 end of central directory locator]
///     [end of central directory record]
///
/// APPNOTE 4.3.6.
package struct ZipWriter: ~Copyable {
  /// How many bytes of the archive have been produced, records and blocks together.
  package private(set) var offset: UInt64 = 0

  private let limits: ZipLimits
  private let alignment: UInt16?
  private var directory: [CentralDirectoryHeader] = []
  /// The names so far.
  private var names: Set<BytePath> = []
  private var member: Member?

  /// The member that is being written.
  private struct Member {
    let entry: ZipEntry
    let header: LocalFileHeader
    let offset: UInt64
    var crc32: UInt32 = 0
    var compressedSize: UInt64 = 0
    var uncompressedSize: UInt64 = 0
    var hasLastBlock = false

    var summary: MemberSummary {
      MemberSummary(name: entry.name, crc32: crc32, compressedSize: compressedSize, size: uncompressedSize)
    }
  }

  /// Begins an empty archive.
  ///
  /// - Parameter alignment: in bytes: each member's data begins at a multiple of it. Nil for none.
  package init(limits: ZipLimits = .standard, alignment: UInt16? = nil) {
    self.limits = limits
    self.alignment = alignment
  }

  /// Begins a member: appends its local file header. An error leaves `output` as it was.
  ///
  /// Whether the member is zip64 must be known now. It is, if its size does not fit four bytes, stored or compressed;
  /// no block that ``DeflateEngine`` makes is longer than it is stored.
  ///
  /// - Throws: ``ZipError/memberNotEnded(_:)``, ``ZipError/unsafeName(_:_:)``, ``ZipError/duplicateName(_:)``,
  ///   ``ZipError/memberTooLarge(_:size:)``.
  ///
  /// APPNOTE 4.3.7.
  package mutating func begin(_ entry: ZipEntry, into output: inout [UInt8]) throws(ZipError) {
    if let member { throw .memberNotEnded(member.entry.name) }
    try entry.checkName()
    guard entry.size <= ZipEntry.maximumSize else { throw .memberTooLarge(entry.name, size: entry.size) }
    let fileName = Array(entry.name.utf8)
    guard names.insert(BytePath(fileName)).inserted else { throw .duplicateName(entry.name) }

    let header = LocalFileHeader(
      fileName: fileName, modified: entry.modified,
      isZip64: StoredBlocks.encodedCount(ofMember: entry.size) >= limits.size)
    member = Member(entry: entry, header: header, offset: offset)
    produce(into: &output) { [offset, alignment] in
      header.append(to: &$0, at: offset, aligningTo: alignment)
    }
  }

  /// Accounts for one block of the member, whose bytes the caller sends.
  ///
  /// - Throws: ``ZipError/noMember``; ``ZipError/wrongSize(_:expected:given:)`` when it is more than the entry's size;
  ///   ``ZipError/brokenStream(_:)`` after the last block; ``ZipError/outgrownSizes(_:)``, only for blocks much smaller
  ///   than ``DeflateEngine/blockSize``.
  package mutating func add(_ block: borrowing DeflatedBlock) throws(ZipError) {
    try account(
      for: BlockLengths(
        compressedCount: UInt64(block.bytes.count), uncompressedCount: UInt64(block.uncompressedCount),
        isLast: block.isLast))
    if let crc32 = member?.crc32 {
      member?.crc32 = Zlib.crc32(crc32, joinedTo: block.crc32, ofCount: block.uncompressedCount)
    }
  }

  private mutating func account(for block: BlockLengths) throws(ZipError) {
    guard var member else { throw .noMember }
    guard !member.hasLastBlock else { throw .brokenStream(member.entry.name) }
    member.compressedSize += block.compressedCount
    member.uncompressedSize += block.uncompressedCount
    member.hasLastBlock = block.isLast
    guard member.uncompressedSize <= member.entry.size else {
      throw .wrongSize(member.entry.name, expected: member.entry.size, given: member.uncompressedSize)
    }
    guard member.header.isZip64 || member.compressedSize < limits.size else {
      throw .outgrownSizes(member.entry.name)
    }
    offset += block.compressedCount
    self.member = member
  }

  /// Ends the member: appends its data descriptor.
  ///
  /// - Throws: ``ZipError/noMember``; ``ZipError/wrongSize(_:expected:given:)`` when there was less than the entry's
  ///   size; ``ZipError/brokenStream(_:)`` without a last block.
  ///
  /// APPNOTE 4.3.9.
  package mutating func end(into output: inout [UInt8]) throws(ZipError) -> MemberSummary {
    guard let member else { throw .noMember }
    guard member.uncompressedSize == member.entry.size else {
      throw .wrongSize(member.entry.name, expected: member.entry.size, given: member.uncompressedSize)
    }
    guard member.hasLastBlock else { throw .brokenStream(member.entry.name) }
    self.member = nil

    let descriptor = DataDescriptor(
      crc32: member.crc32, compressedSize: member.compressedSize, uncompressedSize: member.uncompressedSize,
      isZip64: member.header.isZip64)
    produce(into: &output) { descriptor.append(to: &$0) }
    directory.append(
      CentralDirectoryHeader(
        localFileHeader: member.header, permissions: member.entry.permissions, descriptor: descriptor,
        localHeaderOffset: member.offset))
    return member.summary
  }

  /// Finishes the archive: appends the central directory and its end, with the zip64 records if they are needed.
  ///
  /// - Throws: ``ZipError/memberNotEnded(_:)``.
  ///
  /// APPNOTE 4.3.12 to 4.3.16.
  package consuming func finish(into output: inout [UInt8]) throws(ZipError) {
    try appendDirectory(to: &output)
  }

  private mutating func appendDirectory(to output: inout [UInt8]) throws(ZipError) {
    if let member { throw .memberNotEnded(member.entry.name) }
    let directoryOffset = offset
    for header in directory {
      produce(into: &output) { [limits] in header.append(to: &$0, limits: limits) }
    }
    let end = EndOfCentralDirectory(
      entryCount: UInt64(directory.count), directorySize: offset - directoryOffset,
      directoryOffset: directoryOffset)
    if end.needsZip64(limits) {
      let recordOffset = offset
      produce(into: &output) { Zip64EndOfCentralDirectory(record: end).append(to: &$0) }
      produce(into: &output) { Zip64EndOfCentralDirectoryLocator(recordOffset: recordOffset).append(to: &$0) }
    }
    produce(into: &output) { [limits] in end.append(to: &$0, limits: limits) }
  }

  /// Runs what appends a record, and counts what it has appended.
  private mutating func produce(into output: inout [UInt8], _ append: (inout [UInt8]) -> Void) {
    let count = output.count
    append(&output)
    offset += UInt64(output.count - count)
  }

  /// The exact length in bytes of an archive of these entries in this order, compressed with
  /// ``Compression/store`` in blocks of ``DeflateEngine/blockSize``, and aligned as such archives are.
  ///
  /// It is found by writing the archive's records around no data.
  ///
  /// - Throws: What ``begin(_:into:)`` throws.
  package static func storedLength(
    of entries: [ZipEntry], limits: ZipLimits = .standard
  ) throws(ZipError) -> UInt64 {
    var writer = ZipWriter(limits: limits, alignment: Compression.store.alignment)
    var records: [UInt8] = []
    for entry in entries {
      records.removeAll(keepingCapacity: true)
      try writer.begin(entry, into: &records)
      try writer.account(
        for: BlockLengths(
          compressedCount: StoredBlocks.encodedCount(ofMember: entry.size), uncompressedCount: entry.size,
          isLast: true))
      _ = try writer.end(into: &records)
    }
    try writer.appendDirectory(to: &records)
    return writer.offset
  }
}
