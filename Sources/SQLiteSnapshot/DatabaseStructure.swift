import CSQLite
import System

/// The structure of a whole database file, found sound or not by its bytes alone: what its schema means does not matter.
///
/// That is for a database of which SQLite cannot make sense here: it needs a collation or a function of its application, or
/// has a schema in newer SQL. Each page must be used exactly once, by a b-tree, an overflow chain or the free list, and be
/// what it is used as. `PRAGMA integrity_check` demands the same of pages, before it looks at rows.
///
/// It takes a bit for each page, and at most one path of a tree.
///
/// https://www.sqlite.org/fileformat2.html §1
struct DatabaseStructure {
  private enum Failure: Error {
    case damaged(String)
    case unreadable(SQLiteError)
  }

  /// What the pointer map of an auto-vacuum database says of a page: §1.8.
  private enum Use: UInt8 {
    case root = 1
    case free = 2
    case firstOverflow = 3
    case laterOverflow = 4
    case child = 5
  }

  private let file: OpenFile
  private let limit: CheckLimit
  private let header: [UInt8]
  private let pageSize: Int
  private let usableSize: Int
  private let pageCount: UInt32
  private let hasPointerMap: Bool
  private var used: [UInt64]
  private var roots: [(page: UInt32, isIndex: Bool)] = []

  /// Reads all of it.
  ///
  /// - Returns: the first fault; nil if there is none.
  /// - Throws: what keeps it from being read; `SQLITE_INTERRUPT` once the limit is reached.
  static func fault(of file: OpenFile, _ limit: CheckLimit) throws(SQLiteError) -> String? {
    do {
      var structure = try DatabaseStructure(file, limit)
      try structure.check()
      return nil
    } catch {
      switch error {
      case .damaged(let fault): return fault
      case .unreadable(let error): throw error
      }
    }
  }

  private init(_ file: OpenFile, _ limit: CheckLimit) throws(Failure) {
    self.file = file
    self.limit = limit
    let (header, fileSize): ([UInt8], UInt64)
    do { (header, fileSize) = (try file.read(100, at: 0).bytes, try file.size()) } catch {
      throw .unreadable(error)
    }
    self.header = header
    let reader = ByteReader(header, end: 100)
    pageSize = reader.word(16) == 1 ? 65536 : reader.word(16)
    usableSize = pageSize - Int(header[20])
    guard pageSize >= 512, pageSize & (pageSize - 1) == 0, usableSize >= 480 else {
      throw .damaged("its header has a page size of \(pageSize) bytes, and \(header[20]) reserved")
    }
    let countInFile = fileSize / UInt64(pageSize)
    // §1.3.7: it counts only if the last writer knew of it.
    let countInHeader = reader.number(24) == reader.number(92) ? reader.number(28) : 0
    guard countInFile > 0, countInFile >= UInt64(countInHeader), countInFile <= UInt64(UInt32.max) - 1 else {
      throw .damaged("it has \(countInFile) pages, and \(countInHeader) by its header")
    }
    pageCount = countInHeader == 0 ? UInt32(countInFile) : countInHeader
    hasPointerMap = reader.number(52) != 0
    used = Array(repeating: 0, count: Int(pageCount) / 64 + 1)
  }

  private mutating func check() throws(Failure) {
    let reader = ByteReader(header, end: 100)
    try checkFreeList(from: reader.number(32), count: reader.number(36))
    // The schema's own tree tells of all others.
    _ = try walk(1, by: nil, .table, depth: 1, above: nil, upTo: nil)
    try findRoots(from: 1)
    for root in roots {
      _ = try walk(root.page, by: nil, root.isIndex ? .index : nil, depth: 1, above: nil, upTo: nil)
    }
    if hasPointerMap, roots.map(\.page).max() ?? 1 != reader.number(52) {
      throw .damaged("the header's last root page is \(reader.number(52))")
    }
    for page in 1...pageCount where !isUsed(page) && !isReserved(page) {
      throw .damaged("page \(page) is never used")
    }
  }

  // MARK: pages

  private func isUsed(_ page: UInt32) -> Bool { used[Int(page) / 64] >> (UInt64(page) % 64) & 1 == 1 }

  /// Whether it is the page of the locks, which holds nothing, or one of the pointer map.
  private func isReserved(_ page: UInt32) -> Bool {
    page == lockPage || hasPointerMap && page > 1 && pointerMapPage(for: page) == page
  }

  private var lockPage: UInt32 { UInt32(0x4000_0000 / pageSize) + 1 }

  private func pointerMapPage(for page: UInt32) -> UInt32 {
    let perMap = UInt32(usableSize / 5 + 1)
    let map = (page - 2) / perMap * perMap + 2
    return map == lockPage ? map + 1 : map
  }

  /// Takes a page down as used.
  ///
  /// - Parameter referrer: the page that refers to it, if the pointer map is to say so; 0 for none.
  private mutating func use(_ page: UInt32, as use: Use, by referrer: UInt32) throws(Failure) {
    guard page >= 1, page <= pageCount, !isReserved(page) else {
      throw .damaged("page \(referrer) refers to page \(page), of \(pageCount)")
    }
    guard !isUsed(page) else { throw .damaged("page \(page) is used twice, at last by page \(referrer)") }
    used[Int(page) / 64] |= 1 << (UInt64(page) % 64)
    guard hasPointerMap, page > 1 else { return }
    let map = pointerMapPage(for: page)
    let entry = try read(5, at: UInt64(map - 1) * UInt64(pageSize) + 5 * UInt64(page - map - 1))
    guard entry[0] == use.rawValue, ByteReader(entry, end: 5).number(1) == referrer else {
      throw .damaged("the pointer map is wrong for page \(page)")
    }
  }

  private func read(_ count: Int, at offset: UInt64) throws(Failure) -> [UInt8] {
    do {
      try limit.check()
      return try file.read(count, at: offset).bytes
    } catch { throw .unreadable(error) }
  }

  private func read(_ page: UInt32, first count: Int) throws(Failure) -> [UInt8] {
    try read(count, at: UInt64(page - 1) * UInt64(pageSize))
  }

  // MARK: lists

  /// §1.5.
  private mutating func checkFreeList(from first: UInt32, count: UInt32) throws(Failure) {
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
      throw .damaged("the free list has \(found) pages, and \(count) by the header")
    }
  }

  /// Goes through a cell's overflow chain: §1.7.
  private mutating func checkOverflow(of cell: BTreePage.Cell, on page: UInt32) throws(Failure) {
    var remaining = cell.payloadSize - cell.local.count
    var (next, referrer, use) = (cell.overflow, page, Use.firstOverflow)
    while remaining > 0 {
      try self.use(next, as: use, by: referrer)
      remaining -= usableSize - 4
      (referrer, use) = (next, .laterOverflow)
      next = ByteReader(try read(next, first: 4), end: 4).number(0)
    }
    guard next == 0 else { throw .damaged("an overflow chain of page \(page) goes on too long") }
  }

  // MARK: trees

  /// `BTCURSOR_MAX_DEPTH`: SQLite goes no deeper.
  private static let maximumDepth = 20

  /// Goes through a tree from a page down.
  ///
  /// - Parameters:
  ///   - parent: nil for the tree's root.
  ///   - tree: which one it must be; nil if that is not known.
  ///   - lower: the rowid that all are greater than.
  ///   - upper: the greatest that there may be.
  /// - Returns: the levels from there down.
  private mutating func walk(
    _ number: UInt32, by parent: UInt32?, _ tree: BTreePage.Tree?, depth: Int, above lower: Int64?,
    upTo upper: Int64?
  ) throws(Failure) -> Int {
    try use(number, as: parent == nil ? .root : .child, by: parent ?? 0)
    guard depth <= Self.maximumDepth else { throw .damaged("page \(number) is too deep in its tree") }
    let bytes = try read(number, first: pageSize)
    let page = try decode(bytes, number)
    guard tree == nil || tree == page.tree else {
      throw .damaged("page \(number) is of another kind of tree")
    }
    var lower = lower
    var height: Int?
    let descend = { (self: inout Self, child: UInt32, upper: Int64?) throws(Failure) in
      let below = try self.walk(child, by: number, page.tree, depth: depth + 1, above: lower, upTo: upper)
      guard height == nil || height == below else {
        throw .damaged("the children of page \(number) are not of one depth")
      }
      height = below
    }
    for (index, cell) in page.cells.enumerated() {
      if page.tree == .table {
        guard lower.map({ cell.rowid > $0 }) ?? true, upper.map({ cell.rowid <= $0 }) ?? true else {
          throw .damaged("page \(number) has rowid \(cell.rowid) out of order")
        }
      }
      if !page.isLeaf { try descend(&self, cell.child, page.tree == .table ? cell.rowid : nil) }
      if page.tree == .table { lower = cell.rowid }
      guard cell.payloadSize > 0 else { continue }
      guard cell.isRecord(in: bytes) else { throw .damaged("page \(number), cell \(index) is no record") }
      try checkOverflow(of: cell, on: number)
    }
    if !page.isLeaf { try descend(&self, page.rightChild, upper) }
    return (height ?? 0) + 1
  }

  private func decode(_ bytes: [UInt8], _ number: UInt32) throws(Failure) -> BTreePage {
    do { return try BTreePage(bytes, isFirst: number == 1, usableSize: usableSize) } catch {
      throw .damaged("page \(number) \(error.description)")
    }
  }

  // MARK: the schema

  /// Far more than the longest statement that SQLite takes (`SQLITE_MAX_SQL_LENGTH`), in bytes.
  private static let maximumEntrySize = 16 << 20

  /// Finds the roots of all trees in the schema's own, which is sound: §2.6.
  private mutating func findRoots(from number: UInt32) throws(Failure) {
    let bytes = try read(number, first: pageSize)
    let page = try decode(bytes, number)
    for cell in page.cells {
      guard page.isLeaf else {
        try findRoots(from: cell.child)
        continue
      }
      let payload = try content(of: cell, bytes)
      guard let entry = SchemaEntry(payload) else {
        throw .damaged("entry \(cell.rowid) of its schema is none")
      }
      if let root = entry.root { roots.append((root, entry.isIndex)) }
    }
    if !page.isLeaf { try findRoots(from: page.rightChild) }
  }

  private func content(of cell: BTreePage.Cell, _ bytes: [UInt8]) throws(Failure) -> [UInt8] {
    guard cell.payloadSize <= Self.maximumEntrySize else {
      throw .unreadable(
        SQLiteError(code: SQLITE_TOOBIG, message: "entry \(cell.rowid) of its schema is too long"))
    }
    var content = Array(bytes[cell.local])
    var next = cell.overflow
    while content.count < cell.payloadSize {
      let page = try read(next, first: usableSize)
      content += page[4..<4 + min(cell.payloadSize - content.count, usableSize - 4)]
      next = ByteReader(page, end: 4).number(0)
    }
    return content
  }
}
