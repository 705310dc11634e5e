// Numbers in records: zip has the lowest byte first (APPNOTE 4.4.1.1), SQLite the highest (fileformat2.html §1.2).
// Inlinable, since a check of a database reads millions of them.

extension [UInt8] {
  /// The number that stands at `index`, its lowest byte first. It must be there.
  @inlinable
  package func littleEndian<Number: FixedWidthInteger & UnsignedInteger>(at index: Int) -> Number {
    var number: Number = 0
    for place in 0..<Number.bitWidth / 8 {
      number |= Number(truncatingIfNeeded: self[index + place]) << Number(truncatingIfNeeded: 8 * place)
    }
    return number
  }

  /// The number that stands at `index`, its highest byte first. It must be there.
  @inlinable
  package func bigEndian<Number: FixedWidthInteger & UnsignedInteger>(at index: Int) -> Number {
    var number: Number = 0
    for place in 0..<Number.bitWidth / 8 {
      number = number << 8 | Number(truncatingIfNeeded: self[index + place])
    }
    return number
  }

  /// Appends a number, its lowest byte first.
  @inlinable
  package mutating func append(littleEndian value: some FixedWidthInteger) {
    for shift in stride(from: 0, to: value.bitWidth, by: 8) {
      append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }
}
