/// A row of `sqlite_schema`, as far as the bytes of a database tell what it is about.
struct SchemaEntry {
  /// The tree's first page; nil for what has none: a view, a trigger, a virtual table.
  let root: UInt32?
  let isIndex: Bool

  /// - Returns: nil if it is no such row.
  init?(_ record: [UInt8]) {
    let reader = ByteReader(record, end: record.count)
    var place = 0
    guard let headerSize = reader.varint(&place), headerSize <= UInt64(record.count) else { return nil }
    var value = Int(headerSize)
    var values: [(type: UInt64, range: Range<Int>)] = []
    while place < Int(headerSize), values.count < 5 {
      guard let type = reader.varint(&place), let size = RecordValue.size(ofType: type),
        size <= UInt64(record.count - value)
      else { return nil }
      values.append((type, value..<value + Int(size)))
      value += Int(size)
    }
    // ASCII, whether it is UTF-8 or UTF-16.
    let text = { (index: Int) in record[values[index].range].filter { $0 != 0 } }
    guard values.count == 5, let kind = Kind(rawValue: String(decoding: text(0), as: UTF8.self)),
      values[3].type <= 9
    else { return nil }
    // Only an index that a constraint has made has no statement.
    guard
      kind == .index && values[4].type == 0 || text(4).prefix(6).map({ $0 | 0x20 }) == Array("create".utf8)
    else { return nil }
    isIndex = kind == .index
    let page: Int64? =
      switch values[3].type {
      case 0, 7: nil
      case 8: 0
      case 9: 1
      default:
        record[values[3].range].reduce(record[values[3].range.lowerBound] >= 0x80 ? -1 : 0) {
          $0 << 8 | Int64($1)
        }
      }
    guard let page else {
      root = nil
      return
    }
    guard page >= 0, page <= Int64(UInt32.max) else { return nil }
    root = page == 0 ? nil : UInt32(page)
  }

  private enum Kind: String {
    case table
    case index
    case view
    case trigger
  }
}
