import System

/// The beginning of a deflate stream, inflated chunk by chunk on several processors, as far as it can be.
///
/// A writer that compresses on several processors flushes between its blocks, and lets no block refer to another. Where it has
/// flushed, these four bytes end an empty stored block: 00 00 FF FF. They may as well be data. So a chunk between two such places
/// counts only if the one before it has ended at its beginning, between two blocks, if it ends so itself, and if nothing in it
/// refers to what is before. Then it is what one inflater for the whole stream makes of it. That one has to go on where a chunk
/// does not count, and for the last one, which has the stream's end: it alone says what is wrong with a stream.
struct DeflateChunks: ~Copyable {
  /// The most that is read for one, in bytes: some blocks of ours, so that threads and what is read in vain cost little.
  static let chunkSize: UInt64 = 512 * 1024
  /// The most that is made of one, in bytes.
  private static let maximumOutput = 4 << 20
  /// Together with their output, they take some MiB.
  private static let maximumAtOnce = 4

  /// Where what was handed on ends in the archive.
  private(set) var offset: UInt64
  /// The end of what was handed on, as much of it as a match may reach back.
  private(set) var window: ArraySlice<UInt8> = []

  private let descriptor: CInt
  private let end: UInt64
  private let countAtOnce: Int
  /// Where the next one to be begun does.
  private var start: UInt64
  private var begun: [Chunk] = []

  /// One that is inflated, or was.
  private final class Chunk {
    let bytes: [UInt8]
    private var thread: AbandonableThread.Running<[[UInt8]]?>?

    init(_ bytes: [UInt8]) throws(SystemError) {
      self.bytes = bytes
      thread = try AbandonableThread.start(named: "inflate") { DeflateChunks.inflate(bytes) }
    }

    /// Waits for it.
    func pieces() -> [[UInt8]]? { thread.take()?.result() ?? nil }
  }

  /// - Parameter range: where in the file the stream is.
  init(file descriptor: CInt, range: Range<UInt64>) {
    self.descriptor = descriptor
    offset = range.lowerBound
    start = range.lowerBound
    end = range.upperBound
    countAtOnce = min(SystemCalls.processorCount() + 1, Self.maximumAtOnce)
  }

  /// What comes next, in pieces of at most 256 KiB; nil if that is to be inflated in order from `offset` on.
  ///
  /// - Throws: ``ZipReadError/Fault/unreadable(_:)``.
  mutating func next() throws(ZipReadError) -> [[UInt8]]? {
    while begun.count < countAtOnce, let chunk = try begin() { begun.append(chunk) }
    guard !begun.isEmpty else { return nil }
    let chunk = begun.removeFirst()
    var bytes = chunk.bytes
    var pieces = chunk.pieces()
    if pieces == nil, !begun.isEmpty {
      // The place between the two may be none.
      bytes += begun.removeFirst().bytes
      pieces = Self.inflate(bytes)
    }
    guard let pieces else {
      begun = []
      start = end
      return nil
    }
    offset += UInt64(bytes.count)
    for piece in pieces.suffix(2) {
      window = (piece.count < Inflater.windowSize ? window + piece : piece[...]).suffix(Inflater.windowSize)
    }
    return pieces
  }

  /// Begins one; nil if there is none, or no thread for it.
  private mutating func begin() throws(ZipReadError) -> Chunk? {
    // What is left is the last, or too little to have two.
    guard end - start > Self.chunkSize else { return nil }
    let bytes = try SystemInput.read(descriptor, Int(Self.chunkSize), at: start)
    guard let length = Self.lastFlush(in: bytes), let chunk = try? Chunk(Array(bytes[..<length])) else {
      start = end
      return nil
    }
    start += UInt64(length)
    return chunk
  }

  /// Where the bytes after the last 00 00 FF FF begin.
  private static func lastFlush(in bytes: [UInt8]) -> Int? {
    var index = bytes.count - 1
    while index >= 3 {
      if bytes[index] == 0xff, bytes[index - 1] == 0xff, bytes[index - 2] == 0, bytes[index - 3] == 0 {
        return index + 1
      }
      index -= 1
    }
    return nil
  }

  /// Inflates one with no regard to what is before it.
  ///
  /// - Returns: nil if it does not count.
  private static func inflate(_ bytes: [UInt8]) -> [[UInt8]]? {
    guard let inflater = try? Inflater() else { return nil }
    var pieces: [[UInt8]] = []
    var used = 0
    var count = 0
    while count <= maximumOutput {
      guard let (piece, more) = inflater.inflate(bytes[used...], capacity: MemberData.pieceSize),
        !inflater.isFinished
      else { return nil }
      used += more
      count += piece.count
      if !piece.isEmpty { pieces.append(piece) }
      if used == bytes.count, inflater.isBetweenBlocks { return pieces }
      // A piece that is not full is the last.
      if piece.count < MemberData.pieceSize { return nil }
    }
    return nil
  }
}
