import CSQLite

/// Which frame of a write-ahead log holds the last committed version of each page, as one scan found it.
///
/// The format is https://www.sqlite.org/fileformat2.html §4: a header of 32 bytes, then frames of a 24-byte
/// header and one page. All of its integers are 32 bits, big-endian; the log is read as words for that reason.
struct WriteAheadLog {
  static let headerSize = 32
  static let frameHeaderSize = 24
  /// Read from the log at once while it is scanned.
  private static let scanSize = 256 * 1024

  /// The header as it was when the scan began. A writer that starts the log anew replaces it, with other salts,
  /// before it replaces the first frame.
  let header: [UInt32]
  /// Page number in the high half, frame number (from 0) in the low one; ascending, one for each page.
  let frames: [UInt64]
  /// The database's size in pages after that commit.
  let pageCount: UInt32
  /// What tells this log up to that commit from every other: its salts, the number of its frames, and the checksum of
  /// the last one, which runs over all before it. Nothing for a log without frames.
  let state: [UInt32]

  /// Reads the header. What is past the end of the file is zeros, which are nobody's salts.
  static func readHeader(_ file: OpenFile) throws(SQLiteError) -> [UInt32] {
    var words = [UInt32](repeating: 0, count: headerSize / 4)
    try file.read(into: &words, 0..<words.count, at: 0)
    return words
  }

  /// Scans a log up to the last commit that its index has published, verifying every frame's checksum.
  ///
  /// Frames past that commit are nobody's yet: their writer may have died, and the next one will replace them.
  /// - Returns: nil if the log is not the one that the index speaks of, because it was started anew meanwhile.
  init?(scanning file: OpenFile, publishedBy index: WALIndexHeader, pageSize: Int) throws(SQLiteError) {
    pageCount = index.pageCount
    header = try Self.readHeader(file)
    guard index.frameCount > 0 else {
      frames = []
      state = []
      return
    }
    var checksum = Checksum(isBigEndian: header[0].bigEndian & 1 == 1)
    checksum.add(header, 0..<6)
    guard header[0].bigEndian | 1 == 0x377f_0683, header[1].bigEndian == 3_007_000,
      Int(header[2].bigEndian) == pageSize, checksum.matches(header[6], header[7]),
      header[4] == index.salts.0, header[5] == index.salts.1
    else { return nil }

    var frames: [UInt64] = []
    frames.reserveCapacity(index.frameCount)
    let frameWords = (Self.frameHeaderSize + pageSize) / 4
    var words = [UInt32](repeating: 0, count: max(1, Self.scanSize / (frameWords * 4)) * frameWords)
    while frames.count < index.frameCount {
      if Task.isCancelled { throw SQLiteError(code: SQLITE_INTERRUPT, message: "called off") }
      try file.read(into: &words, 0..<words.count, at: Self.offset(ofFrame: frames.count, pageSize: pageSize))
      for start in stride(from: 0, to: words.count, by: frameWords) where frames.count < index.frameCount {
        // Frame header: page number, size after commit or 0, salts as in the log's header, checksum so far.
        guard words[start + 2] == header[4], words[start + 3] == header[5] else { return nil }
        checksum.add(words, start..<start + 2)
        checksum.add(words, start + 6..<start + frameWords)
        guard checksum.matches(words[start + 4], words[start + 5]) else { return nil }
        frames.append(UInt64(words[start].bigEndian) << 32 | UInt64(frames.count))
      }
    }
    Self.keepLastOfEachPage(&frames)
    self.frames = frames
    state = [header[4], header[5], UInt32(index.frameCount), checksum.first, checksum.second]
  }

  /// Sorts the frames by page, and keeps of each page the last: in place, since a log may have millions.
  private static func keepLastOfEachPage(_ frames: inout [UInt64]) {
    frames.sort()
    var kept = 0
    for index in frames.indices {
      let frame = frames[index]
      if kept > 0, frames[kept - 1] >> 32 == frame >> 32 { kept -= 1 }
      frames[kept] = frame
      kept += 1
    }
    frames.removeLast(frames.count - kept)
  }

  /// Whether the file still begins as the scanned log did and has its last frame: then it has all before that, too, since
  /// the frame's checksum runs over them.
  func isStillThere(in file: OpenFile, pageSize: Int) throws(SQLiteError) -> Bool {
    guard state.count == 5 else { return true }
    let size = Self.offset(ofFrame: Int(state[2]), pageSize: pageSize)
    guard try file.size() >= size, try Self.readHeader(file) == header else { return false }
    let last = try Self.readFrameHeader(file, Int(state[2]) - 1, pageSize: pageSize)
    return (last[2], last[3]) == (header[4], header[5])
      && (last[4].bigEndian, last[5].bigEndian) == (state[3], state[4])
  }

  /// So many frames are looked at for a commit: a transaction of 1 GiB in pages of 4 KiB, a quarter of a second.
  private static let maximumUnpublishedFrames = 1 << 18

  /// Whether the log has a commit from frame `frame` on, as far as its frames' headers tell.
  func hasCommit(from frame: Int, in file: OpenFile, pageSize: Int) throws(SQLiteError) -> Bool {
    for frame in frame..<frame + Self.maximumUnpublishedFrames {
      let words = try Self.readFrameHeader(file, frame, pageSize: pageSize)
      guard (words[2], words[3]) == (header[4], header[5]) else { return false }
      // The database's size after a commit; 0 in every other frame.
      if words[1] != 0 { return true }
    }
    return false
  }

  private static func readFrameHeader(_ file: OpenFile, _ frame: Int, pageSize: Int) throws(SQLiteError)
    -> [UInt32]
  {
    var words = [UInt32](repeating: 0, count: frameHeaderSize / 4)
    try file.read(into: &words, 0..<words.count, at: offset(ofFrame: frame, pageSize: pageSize))
    return words
  }

  /// The place of a frame's header in the file.
  static func offset(ofFrame frame: Int, pageSize: Int) -> UInt64 {
    UInt64(headerSize) + UInt64(frame) * UInt64(frameHeaderSize + pageSize)
  }

  /// The frames of pages `range` (numbered from 1).
  func frames(ofPages range: Range<UInt64>) -> ArraySlice<UInt64> {
    frames[firstIndex(from: range.lowerBound)..<firstIndex(from: range.upperBound)]
  }

  private func firstIndex(from page: UInt64) -> Int {
    var low = 0
    var high = frames.count
    while low < high {
      let middle = (low + high) / 2
      if frames[middle] >> 32 < page { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// The running checksum of a log's header and frames: fileformat2.html §4.2.
private struct Checksum {
  let isBigEndian: Bool
  private(set) var first: UInt32 = 0
  private(set) var second: UInt32 = 0

  init(isBigEndian: Bool) { self.isBigEndian = isBigEndian }

  /// - Parameter range: an even number of words.
  mutating func add(_ words: [UInt32], _ range: Range<Int>) {
    var first = first
    var second = second
    var index = range.lowerBound
    while index < range.upperBound {
      let (left, right) = (words[index], words[index + 1])
      first &+= (isBigEndian ? left.bigEndian : left.littleEndian) &+ second
      second &+= (isBigEndian ? right.bigEndian : right.littleEndian) &+ first
      index += 2
    }
    (self.first, self.second) = (first, second)
  }

  /// Whether it agrees with two words of the file, which are big-endian in either case.
  func matches(_ first: UInt32, _ second: UInt32) -> Bool {
    first.bigEndian == self.first && second.bigEndian == self.second
  }
}
