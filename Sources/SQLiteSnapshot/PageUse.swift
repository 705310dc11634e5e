/// Which pages of a database have been found in use, and which of them have no use: a bit for each page.
struct PageUse {
  /// What the pointer map of an auto-vacuum database says of a page: fileformat2.html §1.8.
  enum Kind: UInt8 {
    case root = 1
    case free = 2
    case firstOverflow = 3
    case laterOverflow = 4
    case child = 5
  }

  /// A byte for the kind, four for the page that refers to it.
  static let pointerMapEntrySize = 5

  let pageCount: UInt32
  let hasPointerMap: Bool
  private let pageSize: Int
  private let usableSize: Int
  private var used: [UInt64]

  init(pageCount: UInt32, pageSize: Int, usableSize: Int, hasPointerMap: Bool) {
    self.pageCount = pageCount
    self.pageSize = pageSize
    self.usableSize = usableSize
    self.hasPointerMap = hasPointerMap
    used = Array(repeating: 0, count: Int(pageCount) / 64 + 1)
  }

  /// - Returns: whether it is the first use of the page; nil if the page can have none.
  mutating func use(_ page: UInt32) -> Bool? {
    guard page >= 1, page <= pageCount, !isReserved(page) else { return nil }
    defer { used[Int(page) / 64] |= 1 << (UInt64(page) % 64) }
    return !isUsed(page)
  }

  /// The first page that should have been used and was not.
  func firstUnused() -> UInt32? { (1...pageCount).first { !isUsed($0) && !isReserved($0) } }

  /// The page of the pointer map that speaks of a page, and the number of the entry there; nil if none does.
  func pointerMapEntry(of page: UInt32) -> (map: UInt32, index: UInt32)? {
    guard hasPointerMap, page > 1 else { return nil }
    let map = pointerMapPage(for: page)
    return (map, page - map - 1)
  }

  private func isUsed(_ page: UInt32) -> Bool { used[Int(page) / 64] >> (UInt64(page) % 64) & 1 == 1 }

  /// Whether it is the page of the locks, which holds nothing, or one of the pointer map.
  private func isReserved(_ page: UInt32) -> Bool {
    page == lockPage || hasPointerMap && page > 1 && pointerMapPage(for: page) == page
  }

  /// fileformat2.html §1.4: the page with the byte at 1 GiB.
  private var lockPage: UInt32 { UInt32(0x4000_0000 / pageSize) + 1 }

  private func pointerMapPage(for page: UInt32) -> UInt32 {
    let perMap = UInt32(usableSize / Self.pointerMapEntrySize + 1)
    let map = (page - 2) / perMap * perMap + 2
    return map == lockPage ? map + 1 : map
  }
}
