extension [UInt8] {
  /// Appends a number, its lowest byte first.
  ///
  /// APPNOTE 4.4.1.1: "All fields unless otherwise noted are unsigned and stored in Intel low-byte:high-byte,
  /// low-word:high-word order".
  mutating func append(littleEndian value: some FixedWidthInteger & UnsignedInteger) {
    for shift in stride(from: 0, to: value.bitWidth, by: 8) {
      append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }
}
