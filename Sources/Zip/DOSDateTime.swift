import System

/// A time as MS-DOS has it: no zone, two-second steps, and the years 1980 to 2107. It is taken as UTC here, and readers
/// that know better read the ``ExtendedTimestamp``.
///
/// APPNOTE 4.4.6.
struct DOSDateTime: Equatable {
  /// Hours in bits 11-15, minutes in bits 5-10, half seconds in bits 0-4.
  let time: UInt16
  /// Years since 1980 in bits 9-15, months in bits 5-8, days in bits 0-4.
  let date: UInt16

  /// 1980-01-01 00:00:00 and 2107-12-31 23:59:58, in seconds since 1970.
  static let range: ClosedRange<Int64> = 315_532_800...4_354_819_198

  /// The time so many seconds after 1970, or the nearest one there is.
  init(secondsSince1970 seconds: Int64) {
    let seconds = min(max(seconds, Self.range.lowerBound), Self.range.upperBound)
    let (day, time) = TimeOfDay.split(secondsSince1970: seconds)
    let date = CivilDate(daysSince1970: day)
    self.time = UInt16(time.hour) << 11 | UInt16(time.minute) << 5 | UInt16(time.second / 2)
    self.date = UInt16(date.year - 1980) << 9 | UInt16(date.month) << 5 | UInt16(date.day)
  }

  /// The fields of a record that was read.
  init(time: UInt16, date: UInt16) {
    self.time = time
    self.date = date
  }

  /// The time that it tells. A month or a day that there is not runs into the next.
  var secondsSince1970: Int64 {
    let day = CivilDate(
      year: 1980 + Int64(date >> 9), month: Int64(date >> 5 & 15), day: Int64(date & 31)
    ).daysSince1970
    return TimeOfDay.secondsPerDay * day + 3600 * Int64(time >> 11) + 60 * Int64(time >> 5 & 63)
      + 2 * Int64(time & 31)
  }
}
