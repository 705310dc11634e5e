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
  enum Failure: Error {
    case damaged(String)
    case unreadable(SQLiteError)
  }

  private let file: VFSFile
  private let limit: CheckLimit
  let header: DatabaseHeader
  let pageSize: Int
  let usableSize: Int
  var pages: PageUse
  var roots: [(page: UInt32, isIndex: Bool)] = []

  /// Reads all of it.
  ///
  /// - Returns: the first fault; nil if there is none.
  /// - Throws: what keeps it from being read; `SQLITE_INTERRUPT` once the limit is reached.
  static func fault(of file: VFSFile, _ limit: CheckLimit) throws(SQLiteError) -> String? {
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

  private init(_ file: VFSFile, _ limit: CheckLimit) throws(Failure) {
    self.file = file
    self.limit = limit
    let (bytes, fileSize): ([UInt8], UInt64)
    do { (bytes, fileSize) = (try file.read(DatabaseHeader.size, at: 0).bytes, try file.size()) } catch {
      throw .unreadable(error)
    }
    guard let header = DatabaseHeader(bytes) else { throw .damaged("it has no header") }
    self.header = header
    pageSize = header.pageSize
    usableSize = pageSize - header.reservedByteCount
    guard pageSize >= 512, pageSize & (pageSize - 1) == 0, usableSize >= 480 else {
      throw .damaged(
        "its header has a page size of \(pageSize) bytes, and \(header.reservedByteCount) reserved")
    }
    let countInFile = fileSize / UInt64(pageSize)
    let countInHeader = header.pageCount
    guard countInFile > 0, countInFile >= UInt64(countInHeader), countInFile <= UInt64(UInt32.max) - 1 else {
      throw .damaged("it has \(counted(countInFile, "page")), and \(countInHeader) by its header")
    }
    pages = PageUse(
      pageCount: countInHeader == 0 ? UInt32(countInFile) : countInHeader, pageSize: pageSize,
      usableSize: usableSize, hasPointerMap: header.largestRootPage != 0)
  }

  private mutating func check() throws(Failure) {
    try checkFreeList(from: header.firstFreelistTrunk, count: header.freelistPageCount)
    // The schema's own tree tells of all others.
    _ = try walk(1, by: nil, .table, depth: 1, above: nil, upTo: nil)
    try findRoots(from: 1)
    for root in roots {
      _ = try walk(root.page, by: nil, root.isIndex ? .index : nil, depth: 1, above: nil, upTo: nil)
    }
    if pages.hasPointerMap, roots.map(\.page).max() ?? 1 != header.largestRootPage {
      throw .damaged("the header's last root page is \(header.largestRootPage)")
    }
    if let page = pages.firstUnused() { throw .damaged("page \(page) is never used") }
  }

  // MARK: pages

  /// Records a page as used.
  ///
  /// - Parameter referrer: the page that refers to it, if the pointer map is to say so; 0 for none.
  mutating func use(_ page: UInt32, as use: PageUse.Kind, by referrer: UInt32) throws(Failure) {
    guard let isFirst = pages.use(page) else {
      throw .damaged("page \(referrer) refers to page \(page), of \(pages.pageCount)")
    }
    guard isFirst else { throw .damaged("page \(page) is used twice, at last by page \(referrer)") }
    guard let (map, index) = pages.pointerMapEntry(of: page) else { return }
    let size = PageUse.pointerMapEntrySize
    let entry = try read(size, at: UInt64(map - 1) * UInt64(pageSize) + UInt64(size) * UInt64(index))
    guard entry[0] == use.rawValue, ByteReader(entry, end: size).number(1) == referrer else {
      throw .damaged("the pointer map is wrong for page \(page)")
    }
  }

  private func read(_ count: Int, at offset: UInt64) throws(Failure) -> [UInt8] {
    do {
      try limit.check()
      return try file.read(count, at: offset).bytes
    } catch { throw .unreadable(error) }
  }

  func read(_ page: UInt32, first count: Int) throws(Failure) -> [UInt8] {
    try read(count, at: UInt64(page - 1) * UInt64(pageSize))
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

  func decode(_ bytes: [UInt8], _ number: UInt32) throws(Failure) -> BTreePage {
    do { return try BTreePage(bytes, isFirst: number == 1, usableSize: usableSize) } catch {
      throw .damaged("page \(number) \(error.description)")
    }
  }
}
