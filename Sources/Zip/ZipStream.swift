/// An archive from a pipe, read by its members' local headers; the central directory, when it comes, must confirm what
/// has been seen.
///
/// Call ``next()`` and ``read(_:)`` in turn.
package struct ZipStream: ~Copyable {
  /// How many bytes of the archive have been read.
  package var byteCount: UInt64 { input.offset }

  private var input: ArchiveInput
  private let limits: ZipReadLimits
  /// What has been read, in order.
  private var seen: [Seen] = []
  private var current: LocalRecord?
  /// Whether a record looks as if `ZipWriter` had made the archive.
  private var isOwn = false
  private var totalSize: UInt64 = 0
  private var totalNameCount: UInt64 = 0

  /// A member that has been read, as its own records have it.
  private struct Seen {
    let record: LocalRecord
    let sizes: MemberSizes
  }

  /// - Parameters:
  ///   - descriptor: a pipe or a file, which is read from where it stands; its owner keeps it open for as long as this value
  ///     is used.
  ///   - isGivenUp: is asked about every 100 ms while nothing comes; once it says so, reading fails with `EINTR`.
  package init(
    _ descriptor: CInt, limits: ZipReadLimits = .standard, isGivenUp: @escaping () -> Bool = { false }
  ) {
    input = ArchiveInput(pipe: descriptor, bufferSize: MemberData.pieceSize, isGivenUp: isGivenUp)
    self.limits = limits
  }

  /// The next member's name, with its slash if it is a directory's; `nil` after the last, when the central directory
  /// has been read to the archive's end and confirms everything.
  ///
  /// - Throws: ``ZipReadError``, of every fault but those of data.
  package mutating func next() throws(ZipReadError) -> String? {
    precondition(current == nil, "a member's data must be read before the next member")
    if input.offset == 0 { try input.expectBeginning() }
    guard try input.peekSignature() == LocalRecord.signature else {
      try readDirectory()
      return nil
    }
    guard seen.count < limits.memberCount else {
      throw ZipReadError(.tooManyMembers(limit: limits.memberCount), at: input.offset)
    }
    let record = try LocalRecord(&input)
    totalNameCount += UInt64(record.fileName.count)
    guard totalNameCount <= limits.directorySize else {
      throw ZipReadError(.directoryTooLarge(limit: limits.directorySize), at: record.offset)
    }
    isOwn = isOwn || record.hasOwnExtra
    try record.checkSupport(isOwn: isOwn)
    current = record
    return record.name
  }

  /// Inflates the member that ``next()`` has named and hands its data on in pieces of at most 256 KiB.
  ///
  /// - Returns: what its own records say of it; its permissions come with the central directory.
  /// - Throws: ``ZipReadError`` when the data is not what the records say, at the latest after the last piece; what
  ///   `body` throws.
  package mutating func read(_ body: ([UInt8]) throws -> Void) throws -> ZipMember {
    guard let record = current else { preconditionFailure("there is no member to read") }
    let begin = input.offset
    let promised = try record.promisedSizes()
    if promised == nil, record.fields.method == MemberFields.stored {
      throw ZipReadError(
        isOwn
          ? .invalid("stored data whose length stands only behind it")
          : .undecodable("stored data whose length stands only behind it, in a pipe"), member: record.name,
        at: record.offset)
    }
    var data = try MemberData(
      method: record.fields.method, name: record.name, offset: begin,
      sizeLimit: min(promised?.uncompressed ?? .max, limits.totalSize - totalSize),
      storedSize: promised?.uncompressed ?? 0)
    while let piece = try data.next(from: &input) { try body(piece) }
    let found = MemberSizes(
      crc32: data.crc32, compressed: input.offset - begin, uncompressed: data.count)
    let sizes: MemberSizes
    if record.fields.hasDescriptor {
      sizes = try DataDescriptor.read(&input, isZip64: record.extra.zip64 != nil, member: record.name)
      try record.check(sizes)
    } else {
      sizes = promised ?? found
    }
    try data.check(size: sizes.uncompressed, crc32: sizes.crc32)
    guard sizes.compressed == found.compressed else {
      throw ZipReadError(
        .wrongSize(expected: sizes.compressed, found: found.compressed), member: record.name, at: begin)
    }
    totalSize += found.uncompressed
    seen.append(Seen(record: record, sizes: sizes))
    current = nil
    return ZipMember(
      name: record.path, isDirectory: record.isDirectory, size: sizes.uncompressed,
      compressedSize: sizes.compressed, crc32: sizes.crc32, modified: record.modified, permissions: 0o644,
      method: record.fields.method, dataOffset: begin)
  }

  /// Reads what comes after the last member, to the end of the pipe.
  private mutating func readDirectory() throws(ZipReadError) {
    let directoryOffset = input.offset
    try MemberNames.check(seen.map { ($0.record.name, $0.record.offset) })
    var byOffset: [UInt64: Int] = [:]
    for index in seen.indices { byOffset[seen[index].record.offset] = index }
    var headers: [(CentralRecord, LocalRecord)] = []
    while try input.peekSignature() == CentralRecord.signature {
      let header = try CentralRecord(&input)
      guard let index = byOffset.removeValue(forKey: header.localHeaderOffset) else {
        throw ZipReadError(.missing("local file header"), member: header.name, at: header.offset)
      }
      try header.check(seen[index].record, isOwn: isOwn)
      try header.check(seen[index].sizes)
      headers.append((header, seen[index].record))
      guard input.offset - directoryOffset <= limits.directorySize else {
        throw ZipReadError(.directoryTooLarge(limit: limits.directorySize), at: directoryOffset)
      }
    }
    if headers.contains(where: { $0.0.isOwn }) {
      for (header, local) in headers { try header.checkOwn(local) }
    }
    if let index = byOffset.values.min() {
      throw ZipReadError(
        .missing("central directory header"), member: seen[index].record.name, at: input.offset)
    }
    let directory = DirectoryPlace(
      count: UInt64(seen.count), offset: directoryOffset, size: input.offset - directoryOffset)
    try DirectoryEnd(&input).check(directory)
    try input.expectEnd()
  }
}
