/// An instant in UTC, written as RFC 3339 has it.
public struct Timestamp {
  /// Whole seconds since 1970, and nanoseconds after them.
  private let wholeSeconds: Int64
  private let remainder: Int64

  /// The instant of the call.
  public static func now() -> Timestamp { Timestamp(nanoseconds: FileSystem.now()) }

  /// - Parameter nanoseconds: since 1970.
  init(nanoseconds: Int64) {
    wholeSeconds =
      nanoseconds >= 0 ? nanoseconds / 1_000_000_000 : -((999_999_999 - nanoseconds) / 1_000_000_000)
    remainder = nanoseconds - wholeSeconds * 1_000_000_000
  }

  /// - Parameter seconds: since 1970; a file may claim any.
  init(seconds: Int64) {
    wholeSeconds = seconds
    remainder = 0
  }

  /// To the second: `2026-01-31T23:59:59Z`.
  var seconds: String { "\(date)T\(time)Z" }

  /// To the millisecond: `2026-01-31T23:59:59.250Z`.
  public var milliseconds: String { "\(date)T\(time).\(pad(Int(remainder / 1_000_000), 3))Z" }

  /// For names of files: `20260131T235959Z`.
  var compact: String { "\(date)T\(time)Z".filter { $0 != "-" && $0 != ":" } }

  /// The day alone: `2026-01-31`.
  var date: String { "\(pad(parts.year, 4))-\(pad(parts.month, 2))-\(pad(parts.day, 2))" }

  private var time: String { "\(pad(parts.hour, 2)):\(pad(parts.minute, 2)):\(pad(parts.second, 2))" }

  private var parts: (year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
    FileSystem.calendar(wholeSeconds)
  }

  private func pad(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
