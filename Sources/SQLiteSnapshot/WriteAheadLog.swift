import CSQLite

/// Which frame of a write-ahead log holds the last committed version of each page, as one scan found it.
///
/// The format is https://www.sqlite.org/fileformat2.html §4: a header, then frames of a header and one page each. All of
/// its integers are 32 bits, big-endian; it is read as words for that reason.
struct WriteAheadLog {
  /// Read at once while it is scanned.
  private static let scanSize = 256 * 1024

  /// A page and its last frame, in one number: a WAL may have millions.
  struct PageFrame: Comparable {
    /// The page in the high half, the frame in the low one.
    private let value: UInt64

    /// - Parameters:
    ///   - page: from 1.
    ///   - frame: from 0.
    init(page: UInt32, frame: Int) { value = UInt64(page) << 32 | UInt64(frame) }

    var page: UInt64 { value >> 32 }
    var frame: Int { Int(value & 0xffff_ffff) }

    /// By page, and then by frame.
    static func < (left: Self, right: Self) -> Bool { left.value < right.value }
  }

  /// What tells this WAL up to a commit from every other: the salts, the number of its frames, and the checksum of the last
  /// one, which runs over all before it.
  struct Commit: Equatable {
    let salts: WALSalts
    let frameCount: Int
    let checksum: WALChecksum

    var words: [UInt32] {
      [salts.first, salts.second, UInt32(frameCount), checksum.first, checksum.second]
    }
  }

  /// As it was when the scan began. A writer that restarts the WAL replaces it, with other salts, before it replaces the
  /// first frame.
  let header: WALHeader
  /// Ascending, one for each page.
  let frames: [PageFrame]
  /// The database's size in pages after that commit.
  let pageCount: UInt32
  /// The commit that it was scanned up to; nil for a WAL without frames.
  let commit: Commit?

  /// Scans a WAL up to the last commit that its index has published, verifying every frame's checksum.
  ///
  /// Frames past that commit belong to no commit yet: their writer may have died, and the next one will replace them.
  /// - Returns: nil if the WAL is not the one that the index speaks of, because it was restarted meanwhile.
  init?(scanning file: VFSFile, publishedBy index: WALIndexHeader, pageSize: Int) throws(SQLiteError) {
    pageCount = index.pageCount
    header = try WALHeader(of: file)
    guard index.frameCount > 0 else {
      frames = []
      commit = nil
      return
    }
    guard header.salts == index.salts, let checksum = header.checksum(pageSize: pageSize),
      let (frames, last) = try Self.scan(file, header, checksum, index.frameCount, pageSize)
    else { return nil }
    self.frames = Self.lastOfEachPage(frames)
    commit = Commit(salts: header.salts, frameCount: index.frameCount, checksum: last)
  }

  /// - Returns: all frames up to the commit and the last one's checksum; nil if a frame is not of this WAL.
  private static func scan(
    _ file: VFSFile, _ header: WALHeader, _ headerChecksum: WALChecksum, _ count: Int, _ pageSize: Int
  ) throws(SQLiteError) -> ([PageFrame], WALChecksum)? {
    var checksum = headerChecksum
    let (salts, isBigEndian) = (header.salts, header.sumsBigEndian)
    var frames: [PageFrame] = []
    frames.reserveCapacity(count)
    let frameWords = (WALFrameHeader.size + pageSize) / 4
    var words = [UInt32](repeating: 0, count: max(1, scanSize / (frameWords * 4)) * frameWords)
    while frames.count < count {
      if Task.isCancelled { throw SQLiteError.calledOff }
      try file.read(into: &words, 0..<words.count, at: offset(ofFrame: frames.count, pageSize: pageSize))
      for start in stride(from: 0, to: words.count, by: frameWords) where frames.count < count {
        let frame = WALFrameHeader(words, at: start)
        guard frame.salts == salts else { return nil }
        checksum.add(words, start..<start + WALFrameHeader.summedWordCount, isBigEndian: isBigEndian)
        checksum.add(
          words, start + WALFrameHeader.wordCount..<start + frameWords, isBigEndian: isBigEndian)
        guard checksum == frame.checksum else { return nil }
        frames.append(PageFrame(page: frame.pageNumber, frame: frames.count))
      }
    }
    return (frames, checksum)
  }

  /// Sorts the frames by page, and keeps of each page the last.
  private static func lastOfEachPage(_ frames: consuming [PageFrame]) -> [PageFrame] {
    frames.sort()
    var kept = 0
    for index in frames.indices {
      let frame = frames[index]
      if kept > 0, frames[kept - 1].page == frame.page { kept -= 1 }
      frames[kept] = frame
      kept += 1
    }
    frames.removeLast(frames.count - kept)
    return frames
  }

  /// Whether the file still begins as the scanned WAL did and has its last frame: then it has all before that, too, since
  /// the frame's checksum runs over them.
  func isStillThere(in file: VFSFile, pageSize: Int) throws(SQLiteError) -> Bool {
    guard let commit else { return true }
    let size = Self.offset(ofFrame: commit.frameCount, pageSize: pageSize)
    guard try file.size() >= size, try WALHeader(of: file) == header else { return false }
    let last = try WALFrameHeader(of: commit.frameCount - 1, in: file, pageSize: pageSize)
    return last.salts == commit.salts && last.checksum == commit.checksum
  }

  /// So many frames are searched for a commit: a transaction of 1 GiB in pages of 4 KiB, a quarter of a second.
  private static let maximumUnpublishedFrames = 1 << 18

  /// Whether the WAL has a commit from frame `frame` on, as far as its frames' headers tell.
  func hasCommit(from frame: Int, in file: VFSFile, pageSize: Int) throws(SQLiteError) -> Bool {
    for frame in frame..<frame + Self.maximumUnpublishedFrames {
      let header = try WALFrameHeader(of: frame, in: file, pageSize: pageSize)
      guard header.salts == self.header.salts else { return false }
      if header.isCommit { return true }
    }
    return false
  }

  /// The place of a frame's header in the file.
  static func offset(ofFrame frame: Int, pageSize: Int) -> UInt64 {
    UInt64(WALHeader.size) + UInt64(frame) * UInt64(WALFrameHeader.size + pageSize)
  }

  /// The frames of pages `range` (numbered from 1).
  func frames(ofPages range: Range<UInt64>) -> ArraySlice<PageFrame> {
    frames[firstIndex(from: range.lowerBound)..<firstIndex(from: range.upperBound)]
  }

  private func firstIndex(from page: UInt64) -> Int {
    var low = 0
    var high = frames.count
    while low < high {
      let middle = (low + high) / 2
      if frames[middle].page < page { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
