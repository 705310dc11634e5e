import System

/// A run of an archive's bytes, read from its begin to its end through a buffer.
struct ArchiveInput {
  /// Where in the archive the next byte stands.
  private(set) var offset: UInt64

  private let descriptor: CInt
  /// For a pipe: whether to wait no longer.
  private let isGivenUp: (() -> Bool)?
  /// Where the run ends, if that is known.
  private let end: UInt64
  private let bufferSize: Int
  private var buffer: [UInt8] = []
  private var position = 0

  /// Reads a file from `range.lowerBound` to `range.upperBound`, whose descriptor's position does not matter.
  init(file descriptor: CInt, range: Range<UInt64>, bufferSize: Int) {
    self.descriptor = descriptor
    isGivenUp = nil
    offset = range.lowerBound
    end = range.upperBound
    self.bufferSize = bufferSize
  }

  /// Reads what comes, to its end.
  init(pipe descriptor: CInt, bufferSize: Int, isGivenUp: @escaping () -> Bool) {
    self.descriptor = descriptor
    self.isGivenUp = isGivenUp
    offset = 0
    end = .max
    self.bufferSize = bufferSize
  }

  /// What has been read and not been used yet; empty only at the end.
  mutating func available() throws(ZipReadError) -> ArraySlice<UInt8> {
    if position == buffer.count, offset < end {
      let count = Int(min(UInt64(bufferSize), end - offset))
      buffer =
        if let isGivenUp { try SystemInput.readPipe(descriptor, count, isGivenUp) } else {
          try SystemInput.read(descriptor, count, at: offset)
        }
      position = 0
    }
    return buffer[position...]
  }

  /// Goes past bytes that are available.
  mutating func use(_ count: Int) {
    position += count
    offset += UInt64(count)
  }

  /// The next `count` bytes.
  ///
  /// - Throws: ``ZipReadError/Fault/truncated`` if there are fewer.
  mutating func bytes(_ count: Int) throws(ZipReadError) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let some = try available().prefix(count - bytes.count)
      guard !some.isEmpty else { throw ZipReadError(.truncated, at: offset) }
      bytes += some
      use(some.count)
    }
    return bytes
  }

  /// The four bytes that come next, as a number, without going past them.
  ///
  /// - Throws: ``ZipReadError/Fault/truncated`` if there are fewer.
  mutating func peekSignature() throws(ZipReadError) -> UInt32 {
    if buffer.count - position < 4 {
      let start = offset
      let bytes = try bytes(4)
      // Put back, before what was read behind them.
      buffer = bytes + buffer[position...]
      position = 0
      offset = start
    }
    return buffer.littleEndian(at: position)
  }

  /// - Throws: ``ZipReadError/Fault/noArchive`` if what comes next begins none: an empty one is nothing but its end.
  mutating func expectBeginning() throws(ZipReadError) {
    let begin = offset
    var signature: UInt32?
    do { signature = try peekSignature() } catch  where error.fault == .truncated {}
    guard signature == LocalRecord.signature || signature == DirectoryEnd.signature else {
      throw ZipReadError(.noArchive, at: begin)
    }
  }

  /// - Throws: ``ZipReadError/Fault/extraBytes(_:)`` if something follows.
  mutating func expectEnd() throws(ZipReadError) {
    let rest = try available()
    guard rest.isEmpty else { throw ZipReadError(.extraBytes(UInt64(rest.count)), at: offset) }
  }
}
