/// Writes a write-ahead log and its index by the letter of fileformat2.html §4 and walformat.html §2.1,
/// independently of what reads them.
struct LogBuilder {
  var pageSize = 512
  var isBigEndian = false
  var salts: [UInt32] = [0x1234_5678, 0x9abc_def0]
  private(set) var bytes: [UInt8] = []
  private(set) var frameCount = 0
  private var sums: [UInt32] = [0, 0]

  init(pageSize: Int = 512, isBigEndian: Bool = false) {
    self.pageSize = pageSize
    self.isBigEndian = isBigEndian
    // Magic number, file format version, page size, checkpoint sequence number, salts; then their checksum.
    let magic: UInt32 = 0x377f_0682 | (isBigEndian ? 1 : 0)
    bytes = Self.bytes([magic, 3_007_000, UInt32(pageSize), 0] + salts)
    sum(bytes)
    bytes += Self.bytes(sums)
  }

  /// Adds a page whose every byte is `fill`.
  mutating func append(page: UInt32, fill: UInt8, sizeAfterCommit: UInt32 = 0) {
    let content = [UInt8](repeating: fill, count: pageSize)
    let head = Self.bytes([page, sizeAfterCommit])
    sum(head)
    sum(content)
    bytes += head + Self.bytes(salts) + Self.bytes(sums) + content
    frameCount += 1
  }

  /// Both copies of the index's header, as words in the machine's order.
  func index(frameCount: Int? = nil, pageCount: UInt32 = 9) -> [UInt32] {
    var words: [UInt32] = [
      3_007_000, 0, 1, 0x0100_0000 | UInt32(pageSize), UInt32(frameCount ?? self.frameCount),
    ]
    words += [pageCount, 0, 0] + salts.map(\.bigEndian)
    var sums: [UInt32] = [0, 0]
    for index in stride(from: 0, to: words.count, by: 2) {
      sums[0] &+= words[index] &+ sums[1]
      sums[1] &+= words[index + 1] &+ sums[0]
    }
    return (words + sums) + (words + sums)
  }

  private mutating func sum(_ data: [UInt8]) {
    for start in stride(from: 0, to: data.count, by: 8) {
      for half in 0..<2 {
        let bytes = data[(start + 4 * half)..<(start + 4 * half + 4)]
        let word = (isBigEndian ? Array(bytes) : bytes.reversed()).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        sums[half] &+= word &+ sums[1 - half]
      }
    }
  }

  private static func bytes(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } }
  }
}
