import CSQLite

/// Where the trees are: the schema tells.
extension DatabaseStructure {
  /// Far more than the longest statement that SQLite takes (`SQLITE_MAX_SQL_LENGTH`), in bytes.
  private static let maximumEntrySize = 16 << 20

  /// Finds the roots of all trees in the schema's own, which is sound: §2.6.
  mutating func findRoots(from number: UInt32) throws(Failure) {
    let bytes = try read(number, first: pageSize)
    let page = try decode(bytes, number)
    for cell in page.cells {
      guard page.isLeaf else {
        try findRoots(from: cell.child)
        continue
      }
      let payload = try content(of: cell, bytes)
      guard let entry = SchemaEntry(payload, header.textEncoding) else {
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
