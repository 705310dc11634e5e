import System

/// Big-endian numbers out of a page. https://www.sqlite.org/fileformat2.html §1.2
struct ByteReader {
  private let bytes: [UInt8]
  private let end: Int

  /// - Parameter end: where a variable-length integer must have ended.
  init(_ bytes: [UInt8], end: Int) {
    self.bytes = bytes
    self.end = end
  }

  /// Two bytes.
  func word(_ place: Int) -> Int { Int(bytes.bigEndian(at: place) as UInt16) }

  /// Four bytes.
  func number(_ place: Int) -> UInt32 { bytes.bigEndian(at: place) }

  /// A variable-length integer, behind which `place` is afterwards; nil if it goes past the end.
  func varint(_ place: inout Int) -> UInt64? {
    var value: UInt64 = 0
    for index in 0..<9 {
      guard place < end else { return nil }
      let byte = bytes[place]
      place += 1
      if index == 8 { return value << 8 | UInt64(byte) }
      value = value << 7 | UInt64(byte & 0x7f)
      if byte < 0x80 { return value }
    }
    return value
  }
}

/// A value of a record. https://www.sqlite.org/fileformat2.html §2.1
enum RecordValue {
  /// What a value of a serial type occupies, in bytes; nil for a type that no well-formed database has.
  static func size(ofType type: UInt64) -> UInt64? {
    switch type {
    case 0, 8, 9: 0
    case 1...4: type
    case 5: 6
    case 6, 7: 8
    case 10, 11: nil
    default: (type - 12) / 2
    }
  }
}
