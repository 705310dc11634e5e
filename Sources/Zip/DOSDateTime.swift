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
    let (day, second) = seconds.quotientAndRemainder(dividingBy: 86_400)
    let (year, month, dayOfMonth) = Self.civil(daysSince1970: day)
    time = UInt16(second / 3600) << 11 | UInt16(second / 60 % 60) << 5 | UInt16(second % 60 / 2)
    date = UInt16(year - 1980) << 9 | UInt16(month) << 5 | UInt16(dayOfMonth)
  }

  /// The Gregorian date of a day from 1970 on. Years begin in March here, so that the leap day comes last.
  ///
  /// https://howardhinnant.github.io/date_algorithms.html#civil_from_days
  private static func civil(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = (days + 719_468).quotientAndRemainder(dividingBy: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
  }

  /// The fields of a record that was read.
  init(time: UInt16, date: UInt16) {
    self.time = time
    self.date = date
  }

  /// The time that it tells. A month or a day that there is not runs into the next.
  var secondsSince1970: Int64 {
    let month = Int64(date >> 5 & 15)
    let year = 1980 + Int64(date >> 9) - (month <= 2 ? 1 : 0)
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + Int64(date & 31) - 1
    let days = 365 * year + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
    return 86_400 * days + 3600 * Int64(time >> 11) + 60 * Int64(time >> 5 & 63) + 2 * Int64(time & 31)
  }
}
