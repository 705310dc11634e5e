import System

/// The pages that are no part of a tree: the free list, and what a cell has no room for.
extension DatabaseStructure {
  /// §1.5.
  mutating func checkFreeList(from first: UInt32, count: UInt32) throws(Failure) {
    var trunk = first
    var found: UInt64 = 0
    while trunk != 0 {
      try use(trunk, as: .free, by: 0)
      let reader = ByteReader(try read(trunk, first: usableSize), end: usableSize)
      let leaves = Int(reader.number(4))
      guard leaves <= usableSize / 4 - 2 else {
        throw .damaged("page \(trunk) of the free list has \(leaves) entries")
      }
      for index in 0..<leaves { try use(reader.number(8 + 4 * index), as: .free, by: 0) }
      found += UInt64(leaves) + 1
      trunk = reader.number(0)
    }
    guard found == UInt64(count) else {
      throw .damaged("the free list has \(counted(found, "page")), and \(count) by the header")
    }
  }

  /// Goes through a cell's overflow chain: §1.7.
  mutating func checkOverflow(of cell: BTreePage.Cell, on page: UInt32) throws(Failure) {
    var remaining = cell.payloadSize - cell.local.count
    var (next, referrer, use) = (cell.overflow, page, PageUse.Kind.firstOverflow)
    while remaining > 0 {
      try self.use(next, as: use, by: referrer)
      remaining -= usableSize - 4
      (referrer, use) = (next, .laterOverflow)
      next = ByteReader(try read(next, first: 4), end: 4).number(0)
    }
    guard next == 0 else { throw .damaged("an overflow chain of page \(page) goes on too long") }
  }
}
