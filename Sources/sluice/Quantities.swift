import ArgumentParser

/// A number of bytes on the command line: `1048576`, `64MiB`, `2GB`.
struct ByteCount: ExpressibleByArgument {
  let value: UInt64
  /// As it was written.
  let defaultValueDescription: String

  /// So many MiB.
  static func mebibytes(_ count: UInt64) -> ByteCount {
    ByteCount(value: count << 20, defaultValueDescription: "\(count)MiB")
  }

  private init(value: UInt64, defaultValueDescription: String) {
    self.value = value
    self.defaultValueDescription = defaultValueDescription
  }

  private static let units: [(suffix: String, factor: UInt64)] = [
    ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
    ("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1), ("", 1),
  ]

  init?(argument: String) {
    guard let (number, factor) = scaled(argument, Self.units) else { return nil }
    let (value, isTooLarge) = number.multipliedReportingOverflow(by: factor)
    // SQLite and the kernel count in signed 64 bits.
    guard !isTooLarge, value <= UInt64(Int64.max) / 4 else { return nil }
    self.init(value: value, defaultValueDescription: argument)
  }
}

/// A time on the command line: `500ms`, `5s`, `10min`, `1h`.
struct TimeSpan: ExpressibleByArgument {
  let value: Duration
  /// As it was written.
  let defaultValueDescription: String

  /// So many seconds.
  static func seconds(_ count: Int64) -> TimeSpan {
    TimeSpan(value: .seconds(count), defaultValueDescription: "\(count)s")
  }

  /// So many hours.
  static func hours(_ count: Int64) -> TimeSpan {
    TimeSpan(value: .seconds(3600 * count), defaultValueDescription: "\(count)h")
  }

  private init(value: Duration, defaultValueDescription: String) {
    self.value = value
    self.defaultValueDescription = defaultValueDescription
  }

  private static let units: [(suffix: String, factor: UInt64)] = [
    ("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000),
  ]

  init?(argument: String) {
    guard let (number, factor) = scaled(argument, Self.units) else { return nil }
    let (milliseconds, isTooLarge) = number.multipliedReportingOverflow(by: factor)
    // Ten years, the longest anyone can mean.
    guard !isTooLarge, milliseconds <= 10 * 365 * 86_400_000 else { return nil }
    self.init(value: .milliseconds(Int64(milliseconds)), defaultValueDescription: argument)
  }
}

/// Takes a whole number and its unit apart.
private func scaled(
  _ text: String, _ units: [(suffix: String, factor: UInt64)]
) -> (number: UInt64, factor: UInt64)? {
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  let suffix = text.dropFirst(digits.count)
  guard let number = UInt64(digits), let unit = units.first(where: { $0.suffix == suffix }) else {
    return nil
  }
  return (number, unit.factor)
}
