import Archive
import ArgumentParser
import Restore
import Service
import System

/// A number of bytes on the command line: `1048576`, `64MiB`, `1.5GB`.
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
  /// SQLite and the kernel count in signed 64 bits.
  private static let maximum = UInt64(Int64.max) / 4

  init?(argument: String) {
    guard let value = scaled(argument, Self.units, atMost: Self.maximum) else { return nil }
    self.init(value: value, defaultValueDescription: argument)
  }
}

/// A time on the command line: `500ms`, `5s`, `10min`, `1.5h`.
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
    ("ms", 1), ("s", 1000), ("min", 60_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
  ]
  /// Ten years, the longest anyone can mean, in milliseconds.
  private static let maximum: UInt64 = 10 * 365 * 86_400_000

  init?(argument: String) {
    guard let milliseconds = scaled(argument, Self.units, atMost: Self.maximum) else { return nil }
    self.init(value: .milliseconds(Int64(milliseconds)), defaultValueDescription: argument)
  }
}

/// Free space on the command line: a size, or a share of the file system such as `5%`.
struct FreeSpace: ExpressibleByArgument {
  let value: MinimumFree
  /// As it was written.
  let defaultValueDescription: String

  static let standard = FreeSpace(value: .standard, defaultValueDescription: "5%, at most 1GiB")

  private init(value: MinimumFree, defaultValueDescription: String) {
    self.value = value
    self.defaultValueDescription = defaultValueDescription
  }

  init?(argument: String) {
    if let share = scaled(argument, [("%", 100)], atMost: 99_99) {
      self.init(value: .share(tenThousandths: share), defaultValueDescription: argument)
    } else {
      guard let size = ByteCount(argument: argument) else { return nil }
      self.init(value: .bytes(size.value), defaultValueDescription: argument)
    }
  }
}

/// Makes one number of a decimal one and its unit.
///
/// - Returns: it, rounded down; nil if that is too much, or nothing where something was meant.
private func scaled(
  _ text: String, _ units: [(suffix: String, factor: UInt64)], atMost maximum: UInt64
) -> UInt64? {
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
  guard let number = UInt64(whole), let unit = units.first(where: { $0.suffix == suffix }),
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

/// What a value of an option may look like; nil where its name tells. ArgumentParser says only that it is invalid.
///
/// - Parameter message: ArgumentParser's, which ends in the option's name and the kind of its value.
func examples(for message: String) -> String? {
  if message.hasSuffix(" <time>'") { return "give a time such as 500ms, 5s, 10min" }
  if message.hasSuffix(" <size>'") { return "give a size such as 1048576, 64MiB, 1.5GiB" }
  return nil
}
