/// An instant in UTC, written as RFC 3339 has it.
struct Timestamp {
  /// Since 1970.
  let nanoseconds: Int64

  /// To the second: `2026-01-31T23:59:59Z`.
  var seconds: String { "\(date)T\(time)Z" }

  /// To the millisecond: `2026-01-31T23:59:59.250Z`.
  var milliseconds: String { "\(date)T\(time).\(pad(Int(positiveRemainder / 1_000_000), 3))Z" }

  /// The day alone: `2026-01-31`.
  var date: String { "\(pad(parts.year, 4))-\(pad(parts.month, 2))-\(pad(parts.day, 2))" }

  private var time: String { "\(pad(parts.hour, 2)):\(pad(parts.minute, 2)):\(pad(parts.second, 2))" }

  private var positiveRemainder: Int64 { nanoseconds - wholeSeconds * 1_000_000_000 }

  private var wholeSeconds: Int64 {
    nanoseconds >= 0 ? nanoseconds / 1_000_000_000 : -((999_999_999 - nanoseconds) / 1_000_000_000)
  }

  private var parts: (year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
    FileSystem.calendar(wholeSeconds)
  }

  private func pad(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
