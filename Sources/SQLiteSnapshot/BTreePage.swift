import System

/// One page of a b-tree, decoded, and judged by itself.
///
/// https://www.sqlite.org/fileformat2.html §1.6
struct BTreePage {
  /// Table b-trees have rowids for keys, index b-trees records.
  enum Tree {
    case table
    case index
  }

  /// One entry; what its kind of page does not have is zero or empty.
  struct Cell {
    /// The page whose keys are at most this one's.
    var child: UInt32 = 0
    var rowid: Int64 = 0
    /// In bytes, those on overflow pages included.
    var payloadSize = 0
    /// Where in the page the payload begins, and what of it is here.
    var local = 0..<0
    /// The first overflow page.
    var overflow: UInt32 = 0
    /// What it occupies.
    var range = 0..<0
  }

  let tree: Tree
  let isLeaf: Bool
  let cells: [Cell]
  /// The page whose keys are greater than all here.
  let rightChild: UInt32

  /// Decodes a page.
  ///
  /// - Parameters:
  ///   - bytes: all of the page.
  ///   - isFirst: whether the file's header comes before the page's own.
  ///   - usableSize: the page size without reserved bytes.
  /// - Throws: what is wrong with it.
  init(_ bytes: [UInt8], isFirst: Bool, usableSize: Int) throws(StructureFault) {
    let header = isFirst ? 100 : 0
    switch bytes[header] {
    case 2: (tree, isLeaf) = (.index, false)
    case 5: (tree, isLeaf) = (.table, false)
    case 10: (tree, isLeaf) = (.index, true)
    case 13: (tree, isLeaf) = (.table, true)
    default: throw StructureFault("is no b-tree page: its type is \(bytes[header])")
    }
    let reader = ByteReader(bytes, end: usableSize)
    let count = reader.word(header + 3)
    let start = reader.word(header + 5)
    // "A zero value for this integer is interpreted as 65536."
    let contentStart = start == 0 ? 65536 : start
    let pointers = header + (isLeaf ? 8 : 12)
    let pointersEnd = pointers + 2 * count
    guard pointersEnd <= contentStart, contentStart <= usableSize else {
      throw StructureFault("there is no room for \(counted(count, "cell")) from byte \(contentStart) on")
    }
    rightChild = isLeaf ? 0 : reader.number(header + 8)
    var cells: [Cell] = []
    cells.reserveCapacity(count)
    for index in 0..<count {
      let place = reader.word(pointers + 2 * index)
      guard place >= contentStart, place <= usableSize - 4,
        let cell = Self.cell(at: place, reader, tree, isLeaf, usableSize), cell.range.upperBound <= usableSize
      else { throw StructureFault("cell \(index) at byte \(place) does not fit") }
      cells.append(cell)
    }
    self.cells = cells
    try Self.checkCoverage(
      cells.map(\.range) + Self.freeBlocks(reader, header, contentStart, usableSize), contentStart,
      usableSize,
      fragmentSize: Int(bytes[header + 7]))
  }

  private static func cell(
    at start: Int, _ reader: ByteReader, _ tree: Tree, _ isLeaf: Bool, _ usableSize: Int
  ) -> Cell? {
    var cell = Cell()
    var place = start
    if !isLeaf {
      cell.child = reader.number(place)
      place += 4
    }
    if tree == .index || isLeaf {
      guard let size = reader.varint(&place), size <= UInt64(Int32.max) else { return nil }
      cell.payloadSize = Int(size)
    }
    if tree == .table {
      guard let rowid = reader.varint(&place) else { return nil }
      cell.rowid = Int64(bitPattern: rowid)
    }
    if tree == .index || isLeaf {
      let greatest = tree == .table ? usableSize - 35 : (usableSize - 12) * 64 / 255 - 23
      let least = (usableSize - 12) * 32 / 255 - 23
      var localSize = cell.payloadSize
      if localSize > greatest {
        let filling = least + (localSize - least) % (usableSize - 4)
        localSize = filling <= greatest ? filling : least
      }
      guard place + localSize + 4 <= usableSize || localSize == cell.payloadSize else { return nil }
      cell.local = place..<place + localSize
      place += localSize
      if localSize < cell.payloadSize {
        cell.overflow = reader.number(place)
        place += 4
      }
    }
    // What is freed must have room for the head of a free block.
    cell.range = start..<max(place, start + 4)
    return cell
  }

  /// §1.6: "Freeblocks are always connected in order of increasing offset."
  private static func freeBlocks(
    _ reader: ByteReader, _ header: Int, _ contentStart: Int, _ usableSize: Int
  ) throws(StructureFault) -> [Range<Int>] {
    var blocks: [Range<Int>] = []
    var place = reader.word(header + 1)
    var least = contentStart
    while place != 0 {
      guard place >= least, place <= usableSize - 4 else {
        throw StructureFault("free block at byte \(place) is out of place")
      }
      let end = place + max(4, reader.word(place + 2))
      guard end <= usableSize else { throw StructureFault("free block at byte \(place) does not fit") }
      blocks.append(place..<end)
      least = end
      place = reader.word(place)
    }
    return blocks
  }

  /// Every byte of the content belongs to one cell, one free block, or the fragments that the header counts.
  private static func checkCoverage(
    _ ranges: [Range<Int>], _ contentStart: Int, _ usableSize: Int, fragmentSize: Int
  ) throws(StructureFault) {
    var end = contentStart
    var gaps = 0
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      guard range.lowerBound >= end else { throw StructureFault("byte \(range.lowerBound) is used twice") }
      gaps += range.lowerBound - end
      end = range.upperBound
    }
    gaps += usableSize - end
    guard gaps == fragmentSize else {
      throw StructureFault("the size of its fragments is \(gaps), and \(fragmentSize) by its header")
    }
  }
}

extension BTreePage.Cell {
  /// Whether the payload is a record, as far as its header is in this page: the header's sizes come to the payload's.
  ///
  /// https://www.sqlite.org/fileformat2.html §2.1
  func isRecord(in bytes: [UInt8]) -> Bool {
    let reader = ByteReader(bytes, end: local.upperBound)
    var place = local.lowerBound
    guard let headerSize = reader.varint(&place) else { return overflow != 0 }
    guard headerSize <= UInt64(payloadSize), Int(headerSize) >= place - local.lowerBound else { return false }
    // The rest of the header is on another page.
    guard Int(headerSize) <= local.count else { return true }
    let header = ByteReader(bytes, end: local.lowerBound + Int(headerSize))
    var size = headerSize
    while place < local.lowerBound + Int(headerSize) {
      guard let type = header.varint(&place), let valueSize = RecordValue.size(ofType: type) else {
        return false
      }
      size += valueSize
      guard size <= UInt64(payloadSize) else { return false }
    }
    return size == UInt64(payloadSize)
  }
}

/// What is wrong with the structure of a database.
struct StructureFault: Error {
  let description: String
  init(_ description: String) { self.description = description }
}
