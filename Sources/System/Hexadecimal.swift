extension Sequence<UInt8> {
  /// Two digits for each byte, as sha256sum(1) prints a digest.
  package var hexadecimal: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}

extension UInt32 {
  /// Eight digits, as `unzip -v` prints a CRC-32.
  package var hexadecimal: String {
    let digits = String(self, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
