/// Quantities as people write them: `64MiB`, `1.5h`, `5%`.
package enum Quantity {
  /// A unit and how many of the smallest one it is.
  private typealias Unit = (suffix: String, factor: UInt64)

  private static let byteUnits: [Unit] = [
    ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
    ("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1), ("", 1),
  ]
  /// SQLite and the kernel count in signed 64 bits.
  private static let maximumByteCount = UInt64(Int64.max) / 4

  /// Reads a number of bytes: `1048576`, `64MiB`, `1.5GB`.
  package static func byteCount(_ text: String) -> UInt64? {
    scaled(text, byteUnits, atMost: maximumByteCount)
  }

  private static let timeUnits: [Unit] = [
    ("ms", 1), ("s", 1000), ("min", 60_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
  ]
  /// Ten years, the longest anyone can mean, in milliseconds.
  private static let maximumMilliseconds: UInt64 = 10 * 365 * 86_400_000

  /// Reads a time: `500ms`, `5s`, `10min`, `1.5h`.
  package static func duration(_ text: String) -> Duration? {
    scaled(text, timeUnits, atMost: maximumMilliseconds).map { .milliseconds(Int64($0)) }
  }

  /// Reads a share of less than the whole in ten-thousandths of it: `5%` is 500.
  package static func share(_ text: String) -> UInt64? {
    scaled(text, [("%", 100)], atMost: 99_99)
  }

  /// Makes one number of a decimal one and its unit.
  ///
  /// - Returns: it, rounded down; nil if that is too much, or nothing where something was meant.
  private static func scaled(_ text: String, _ units: [Unit], atMost maximum: UInt64) -> UInt64? {
    let digits = { (text: Substring) in text.prefix { $0.isASCII && $0.isNumber } }
    let whole = digits(text[...])
    var suffix = text.dropFirst(whole.count)
    var fraction: Substring = ""
    if suffix.first == "." {
      fraction = digits(suffix.dropFirst())
      suffix = suffix.dropFirst(1 + fraction.count)
      // More than a nanosecond of a second, or a byte of a gigabyte.
      guard (1...9).contains(fraction.count) else { return nil }
    }
    guard let number = UInt64(whole),
      let unit = units.first(where: { $0.suffix.utf8.elementsEqual(suffix.utf8) }),
      !number.multipliedReportingOverflow(by: unit.factor).overflow
    else { return nil }
    // Of no factor more than 10^12, and so less than 2^63.
    let parts = (UInt64(fraction) ?? 0).multipliedFullWidth(by: unit.factor)
    let scale = fraction.reduce(1 as UInt64) { scale, _ in scale * 10 }
    let (value, isTooLarge) = (number * unit.factor).addingReportingOverflow(
      scale.dividingFullWidth(parts).quotient)
    let isNothing = value == 0 && (number > 0 || fraction.contains { $0 != "0" })
    return isTooLarge || isNothing || value > maximum ? nil : value
  }
}

/// How many there are of something: `1 file`, `2 files`.
///
/// - Parameter many: the plural, if it is not the noun with an `s`.
package func counted(_ count: some BinaryInteger, _ noun: String, _ many: String? = nil) -> String {
  "\(count) \(count == 1 ? noun : many ?? "\(noun)s")"
}
