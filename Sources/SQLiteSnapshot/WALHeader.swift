/// What a writer that restarts a WAL changes in its header and in every frame, so that no old frame passes for a new one.
struct WALSalts: Equatable {
  /// As they stand in the file.
  let first: UInt32
  let second: UInt32

  init(_ words: [UInt32], at index: Int) {
    first = words[index]
    second = words[index + 1]
  }
}

/// The 32 bytes before the frames of a WAL.
///
///     magic number                       4 bytes  (0x377f0682 or 0x377f0683)
///     file format version                4 bytes  (3007000)
///     database page size                 4 bytes
///     checkpoint sequence number         4 bytes
///     salt-1, salt-2                     8 bytes
///     checksum-1, checksum-2             8 bytes
///
/// https://www.sqlite.org/fileformat2.html §4.1.
struct WALHeader: Equatable {
  static let size = 32
  private static let wordCount = size / 4
  private static let magic: UInt32 = 0x377f_0682
  private static let formatVersion: UInt32 = 3_007_000

  /// Where the fields stand, in words.
  private enum Word {
    static let magic = 0
    static let formatVersion = 1
    static let pageSize = 2
    static let salts = 4
    static let checksum = 6
  }

  private let words: [UInt32]

  /// Reads it. What is past the end of the file is zeros, which no writer has for salts.
  init(of file: VFSFile) throws(SQLiteError) {
    var words = [UInt32](repeating: 0, count: Self.wordCount)
    try file.read(into: &words, 0..<words.count, at: 0)
    self.words = words
  }

  var salts: WALSalts { WALSalts(words, at: Word.salts) }

  /// "If the LSB is 1, the checksum is computed on big-endian words."
  var sumsBigEndian: Bool { words[Word.magic].bigEndian & 1 == 1 }

  /// The checksum of what stands before it; nil if the header is none, of another page size, or not whole.
  func checksum(pageSize: Int) -> WALChecksum? {
    var checksum = WALChecksum()
    checksum.add(words, 0..<Word.checksum, isBigEndian: sumsBigEndian)
    guard words[Word.magic].bigEndian & ~1 == Self.magic,
      words[Word.formatVersion].bigEndian == Self.formatVersion,
      Int(words[Word.pageSize].bigEndian) == pageSize,
      checksum == WALChecksum(storedIn: words, at: Word.checksum)
    else { return nil }
    return checksum
  }
}

/// The 24 bytes before each page in a WAL.
///
///     page number                        4 bytes
///     database size after a commit       4 bytes  (in pages; 0 in every other frame)
///     salt-1, salt-2                     8 bytes
///     checksum-1, checksum-2             8 bytes
///
/// https://www.sqlite.org/fileformat2.html §4.1.
struct WALFrameHeader {
  static let size = 24
  static let wordCount = size / 4

  let pageNumber: UInt32
  let sizeAfterCommit: UInt32
  let salts: WALSalts
  let checksum: WALChecksum

  /// What the checksum runs over before the page: page number and size.
  static let summedWordCount = 2

  init(_ words: [UInt32], at start: Int) {
    pageNumber = words[start].bigEndian
    sizeAfterCommit = words[start + 1].bigEndian
    salts = WALSalts(words, at: start + 2)
    checksum = WALChecksum(storedIn: words, at: start + 4)
  }

  /// Reads that of one frame, from 0; zeros if the file has none.
  init(of frame: Int, in file: VFSFile, pageSize: Int) throws(SQLiteError) {
    var words = [UInt32](repeating: 0, count: Self.wordCount)
    try file.read(into: &words, 0..<words.count, at: WriteAheadLog.offset(ofFrame: frame, pageSize: pageSize))
    self.init(words, at: 0)
  }

  var isCommit: Bool { sizeAfterCommit != 0 }
}
