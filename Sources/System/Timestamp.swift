/// An instant in UTC, written as RFC 3339 has it.
package struct Timestamp: Sendable {
  /// In seconds: a time that is farther ahead is none of a clock that drifts, or of another machine's.
  package static let drift: Int64 = 86_400

  /// Since 1970.
  package let wholeSeconds: Int64
  /// Nanoseconds after them.
  private let remainder: Int64

  /// The instant of the call.
  package static func now() -> Timestamp { Timestamp(nanoseconds: FileSystem.now()) }

  /// - Parameter nanoseconds: since 1970.
  package init(nanoseconds: Int64) {
    wholeSeconds =
      nanoseconds >= 0 ? nanoseconds / 1_000_000_000 : -((999_999_999 - nanoseconds) / 1_000_000_000)
    remainder = nanoseconds - wholeSeconds * 1_000_000_000
  }

  /// - Parameter seconds: since 1970; a file may claim any.
  package init(seconds: Int64) {
    wholeSeconds = seconds
    remainder = 0
  }

  /// When a file says that it was changed.
  package init(_ time: FileSystem.Time) {
    wholeSeconds = time.seconds
    remainder = time.nanoseconds
  }

  /// Reads what `seconds` and `milliseconds` write; nil for any other text.
  package init?(_ text: String) {
    let text = Array(text.utf8)
    guard (20...30).contains(text.count), text.last == UInt8(ascii: "Z") else { return nil }
    var numbers: [Int64] = []
    for (index, byte) in text.prefix(19).enumerated() {
      if let separator = Self.separators[index] {
        guard byte == separator else { return nil }
        numbers.append(0)
      } else {
        guard let digit = Self.digit(byte) else { return nil }
        if numbers.isEmpty { numbers.append(0) }
        numbers[numbers.count - 1] = numbers[numbers.count - 1] * 10 + digit
      }
    }
    let fraction = text[19...].dropLast()
    guard fraction.isEmpty || fraction.first == UInt8(ascii: "."), fraction.count != 1 else { return nil }
    var nanoseconds: Int64 = 0
    for index in 20..<29 {
      let isGiven = index < 20 + fraction.dropFirst().count
      guard let digit = isGiven ? Self.digit(text[index]) : 0 else { return nil }
      nanoseconds = nanoseconds * 10 + digit
    }
    let date = CivilDate(year: numbers[0], month: numbers[1], day: numbers[2])
    wholeSeconds =
      date.daysSince1970 * TimeOfDay.secondsPerDay + numbers[3] * 3600 + numbers[4] * 60 + numbers[5]
    remainder = nanoseconds
    // What no clock shows, as the 31st of June, is another instant by now.
    guard seconds.utf8.elementsEqual(text.prefix(19) + [UInt8(ascii: "Z")]) else { return nil }
  }

  private static let separators: [Int: UInt8] = [
    4: UInt8(ascii: "-"), 7: UInt8(ascii: "-"), 10: UInt8(ascii: "T"), 13: UInt8(ascii: ":"),
    16: UInt8(ascii: ":"),
  ]

  private static func digit(_ byte: UInt8) -> Int64? {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) ? Int64(byte - UInt8(ascii: "0")) : nil
  }

  /// Which hour in UTC it is in, counted from 1970-01-01.
  package var hour: Int64 { day * 24 + TimeOfDay.split(secondsSince1970: wholeSeconds).time.hour }

  /// Which day in UTC it is in, counted from 1970-01-01.
  package var day: Int64 { TimeOfDay.split(secondsSince1970: wholeSeconds).day }

  /// Which week from Monday to Sunday it is in, as ISO 8601 has them: 1970-01-01 was a Thursday.
  package var week: Int64 { (day + 3 - ((day + 3) % 7 + 7) % 7) / 7 }

  /// Which month it is in, counted from January of the year 0.
  package var month: Int64 { civil.year * 12 + civil.month - 1 }

  /// Which year it is in.
  package var year: Int64 { civil.year }

  /// To the second: `2026-01-31T23:59:59Z`.
  package var seconds: String { "\(date)T\(time)Z" }

  /// To the millisecond: `2026-01-31T23:59:59.250Z`.
  package var milliseconds: String { "\(date)T\(time).\(pad(remainder / 1_000_000, 3))Z" }

  /// For names of files: `20260131T235959Z`.
  package var compact: String { "\(date)T\(time)Z".filter { $0 != "-" && $0 != ":" } }

  /// For names of archives, as `BackupSeries` reads them: `2026-01-31T235959Z`.
  package var inFileNames: String { "\(date)T\(time)Z".filter { $0 != ":" } }

  /// The day alone: `2026-01-31`.
  package var date: String {
    let date = civil
    return "\(pad(date.year, 4))-\(pad(date.month, 2))-\(pad(date.day, 2))"
  }

  private var time: String {
    let time = TimeOfDay.split(secondsSince1970: wholeSeconds).time
    return "\(pad(time.hour, 2)):\(pad(time.minute, 2)):\(pad(time.second, 2))"
  }

  private var civil: CivilDate { CivilDate(daysSince1970: day) }

  private func pad(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

extension Timestamp: Comparable {
  /// The earlier of two is the lesser.
  package static func < (left: Timestamp, right: Timestamp) -> Bool {
    (left.wholeSeconds, left.remainder) < (right.wholeSeconds, right.remainder)
  }
}
