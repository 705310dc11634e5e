/// An archive in a file, read by its central directory, which every member's own records must confirm.
///
/// The input is taken for hostile. Nothing may stand in the archive twice, or belong to nothing: members, directory and
/// end follow one another without a gap, so that no two readers can find two different archives in it.
package final class ZipArchive: Sendable {
  /// The members in the order in which their data stands in the archive.
  package let members: [ZipMember]
  /// In bytes.
  package let byteCount: UInt64

  private let descriptor: CInt

  /// Reads and checks every record: the end, the central directory, local headers, data descriptors. No data is read.
  ///
  /// - Parameter descriptor: a file open for reading, which its owner keeps open for as long as this object is used. Its
  ///   position does not matter and is not changed.
  /// - Throws: ``ZipReadError``, of every fault but those of data.
  package init(_ descriptor: CInt, limits: ZipReadLimits = .standard) throws(ZipReadError) {
    self.descriptor = descriptor
    byteCount = try SystemInput.size(descriptor)
    var start = ArchiveInput(file: descriptor, range: 0..<byteCount, bufferSize: 4)
    try start.expectBeginning()
    members = try Self.members(descriptor, byteCount, limits)
  }

  /// Whether it is a file that can be read from its end, and not a pipe.
  package static func isFile(_ descriptor: CInt) -> Bool { (try? SystemInput.size(descriptor)) != nil }

  /// Most records fit, and what is read in vain is little: a member's data comes between two of its records.
  private static let recordBufferSize = 4096

  /// Inflates one member and hands its data on in pieces of at most 256 KiB; then its size and CRC-32 have been checked.
  ///
  /// - Throws: ``ZipReadError`` when the data is not what the records say, at the latest after the last piece; what
  ///   `body` throws.
  package func read(_ member: ZipMember, _ body: ([UInt8]) throws -> Void) throws {
    let range = member.dataOffset..<member.dataOffset + member.compressedSize
    var input = ArchiveInput(file: descriptor, range: range, bufferSize: MemberData.pieceSize)
    var data = try MemberData(
      method: member.method, name: member.name, offset: range.lowerBound,
      sizeLimit: member.size, storedSize: member.size)
    if member.method == MemberFields.deflated, member.compressedSize > DeflateChunks.chunkSize {
      var chunks = DeflateChunks(file: descriptor, range: range)
      while let pieces = try chunks.next() {
        for piece in pieces {
          try data.add(piece)
          try body(piece)
        }
      }
      // The rest, in order.
      input = ArchiveInput(
        file: descriptor, range: chunks.offset..<range.upperBound, bufferSize: MemberData.pieceSize)
      try data.goOn(after: chunks.window)
    }
    while let piece = try data.next(from: &input) { try body(piece) }
    guard input.offset == range.upperBound else {
      throw ZipReadError(
        .extraBytes(range.upperBound - input.offset), member: member.name, at: input.offset)
    }
    try data.check(size: member.size, crc32: member.crc32)
  }

  /// Reads the directory, and then every member's records.
  private static func members(
    _ descriptor: CInt, _ byteCount: UInt64, _ limits: ZipReadLimits
  ) throws(ZipReadError) -> [ZipMember] {
    let directoryOffset = try DirectoryEnd.directoryOffset(descriptor, byteCount: byteCount)
    guard directoryOffset < byteCount else { throw ZipReadError(.overlap, at: byteCount) }
    guard byteCount - directoryOffset <= limits.directorySize else {
      throw ZipReadError(.directoryTooLarge(limit: limits.directorySize), at: directoryOffset)
    }
    var input = ArchiveInput(
      file: descriptor, range: directoryOffset..<byteCount, bufferSize: MemberData.pieceSize)
    var headers: [CentralRecord] = []
    while try input.peekSignature() == CentralRecord.signature {
      guard headers.count < limits.memberCount else {
        throw ZipReadError(.tooManyMembers(limit: limits.memberCount), at: input.offset)
      }
      headers.append(try CentralRecord(&input))
    }
    let place = DirectoryPlace(
      count: UInt64(headers.count), offset: directoryOffset, size: input.offset - directoryOffset)
    try DirectoryEnd(&input).check(place)
    try input.expectEnd()
    try MemberNames.check(headers.map { ($0.name, $0.offset) })
    return try members(headers, descriptor, until: directoryOffset, limits)
  }

  /// Reads every member's records in the order in which they stand, without a gap from the first byte to the directory.
  private static func members(
    _ headers: [CentralRecord], _ descriptor: CInt, until directoryOffset: UInt64, _ limits: ZipReadLimits
  ) throws(ZipReadError) -> [ZipMember] {
    var members: [ZipMember] = []
    let isOwn = headers.contains { $0.isOwn }
    var end: UInt64 = 0
    var totalSize: UInt64 = 0
    for header in headers.sorted(by: { $0.localHeaderOffset < $1.localHeaderOffset }) {
      guard header.localHeaderOffset == end else {
        let fault =
          header.localHeaderOffset < end
          ? ZipReadError.Fault.overlap : .extraBytes(header.localHeaderOffset - end)
        throw ZipReadError(fault, member: header.name, at: end)
      }
      members.append(try member(header, isOwn: isOwn, descriptor, until: directoryOffset, end: &end))
      totalSize += header.sizes.uncompressed
      guard totalSize <= limits.totalSize else {
        throw ZipReadError(.tooLarge(limit: limits.totalSize), at: header.offset)
      }
    }
    guard end == directoryOffset else {
      throw ZipReadError(.extraBytes(directoryOffset - end), at: end)
    }
    return members
  }

  /// Reads the records around one member's data.
  ///
  /// - Parameters:
  ///   - isOwn: whether `ZipWriter` has made the archive.
  ///   - end: where they begin; is moved to where they end.
  private static func member(
    _ header: CentralRecord, isOwn: Bool, _ descriptor: CInt, until directoryOffset: UInt64, end: inout UInt64
  ) throws(ZipReadError) -> ZipMember {
    var input = ArchiveInput(file: descriptor, range: end..<directoryOffset, bufferSize: recordBufferSize)
    let local = try LocalRecord(&input)
    try header.check(local, isOwn: isOwn)
    if isOwn { try header.checkOwn(local) }
    let dataOffset = input.offset
    guard header.sizes.compressed <= directoryOffset - dataOffset else {
      throw ZipReadError(.overlap, member: header.name, at: dataOffset)
    }
    end = dataOffset + header.sizes.compressed
    if local.fields.hasDescriptor {
      input = ArchiveInput(file: descriptor, range: end..<directoryOffset, bufferSize: 24)
      try header.check(
        try DataDescriptor.read(&input, isZip64: local.extra.zip64 != nil, member: header.name))
      end = input.offset
    }
    return ZipMember(
      name: local.path, isDirectory: local.isDirectory, size: header.sizes.uncompressed,
      compressedSize: header.sizes.compressed, crc32: header.sizes.crc32, modified: local.modified,
      permissions: header.permissions, method: local.fields.method, dataOffset: dataOffset)
  }
}
