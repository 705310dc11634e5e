/// The running checksum of a WAL's header and frames: fileformat2.html §4.2.
struct WALChecksum: Equatable {
  private(set) var first: UInt32 = 0
  private(set) var second: UInt32 = 0

  init() {}

  /// A checksum that stands in the file, whose words are big-endian in either case.
  init(storedIn words: [UInt32], at index: Int) {
    first = words[index].bigEndian
    second = words[index + 1].bigEndian
  }

  /// - Parameters:
  ///   - range: an even number of words.
  ///   - isBigEndian: in which order the words are summed; the WAL's magic tells.
  mutating func add(_ words: [UInt32], _ range: Range<Int>, isBigEndian: Bool) {
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
}
