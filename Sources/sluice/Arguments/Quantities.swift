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

  /// So many GiB.
  static func gibibytes(_ count: UInt64) -> ByteCount {
    ByteCount(value: count << 30, defaultValueDescription: "\(count)GiB")
  }

  private init(value: UInt64, defaultValueDescription: String) {
    self.value = value
    self.defaultValueDescription = defaultValueDescription
  }

  init?(argument: String) {
    guard let value = Quantity.byteCount(argument) else { return nil }
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

  init?(argument: String) {
    guard let value = Quantity.duration(argument) else { return nil }
    self.init(value: value, defaultValueDescription: argument)
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
    if let share = Quantity.share(argument) {
      self.init(value: .share(tenThousandths: share), defaultValueDescription: argument)
    } else {
      guard let size = ByteCount(argument: argument) else { return nil }
      self.init(value: .bytes(size.value), defaultValueDescription: argument)
    }
  }
}

/// What a value of an option may look like; nil where its name tells. ArgumentParser says only that it is invalid.
///
/// - Parameter message: ArgumentParser's, which ends in the option's name and the kind of its value.
func examples(for message: String) -> String? {
  if message.hasSuffix(" <time>'") { return "give a time such as 500ms, 5s, 10min" }
  if message.hasSuffix(" <size>'") { return "give a size such as 1048576, 64MiB, 1.5GiB" }
  if message.hasSuffix(" <share>'") { return "give a part of the whole such as 10%" }
  if message.hasSuffix(" <date-time>'") {
    return "give a time such as 2026-11-28T03:15:00Z or 2026-11-28T04:15:00+01:00"
  }
  return nil
}
