/// A row of `sqlite_schema`, as far as the bytes of a database tell what it is about.
struct SchemaEntry {
  /// The tree's first page; nil for what has none: a view, a trigger, a virtual table.
  let root: UInt32?
  let isIndex: Bool

  /// - Returns: nil if it is no such row, or none in this encoding.
  init?(_ record: [UInt8], _ encoding: TextEncoding) {
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
    guard values.count == 5, let type = encoding.ascii(record[values[0].range]),
      let kind = Kind(rawValue: type), values[3].type <= 9
    else { return nil }
    // Only an index that a constraint has made has no statement. Whatever SQL comes, SQLite writes the first word.
    let start = encoding.ascii(record[values[4].range].prefix("create ".utf8.count * encoding.unitSize)) ?? ""
    let isStatement = start.dropLast().lowercased() == "create" && start.last?.isWhitespace == true
    guard isStatement || kind == .index && values[4].type == 0 else { return nil }
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

/// How a database writes text: fileformat2.html §1.3.13.
enum TextEncoding {
  case utf8
  case utf16LittleEndian
  case utf16BigEndian

  /// In bytes, of what ASCII has.
  var unitSize: Int { self == .utf8 ? 1 : 2 }

  /// A text of ASCII; nil if it is none.
  func ascii(_ bytes: ArraySlice<UInt8>) -> String? {
    guard bytes.count % unitSize == 0 else { return nil }
    let bytes = Array(bytes)
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: unitSize) {
      let (low, high): (UInt8, UInt8) =
        switch self {
        case .utf8: (bytes[start], 0)
        case .utf16LittleEndian: (bytes[start], bytes[start + 1])
        case .utf16BigEndian: (bytes[start + 1], bytes[start])
        }
      guard high == 0, low < 0x80 else { return nil }
      text.unicodeScalars.append(Unicode.Scalar(low))
    }
    return text
  }
}
