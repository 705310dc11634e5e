/// A day of the Gregorian calendar, which is extended to all years, and its number: the days since 1970-01-01.
///
/// https://howardhinnant.github.io/date_algorithms.html
package struct CivilDate: Equatable, Sendable {
  package let year: Int64
  /// From 1.
  package let month: Int64
  /// From 1.
  package let day: Int64

  package init(year: Int64, month: Int64, day: Int64) {
    self.year = year
    self.month = month
    self.day = day
  }

  /// The days from 0000-03-01 to 1970-01-01: years begin in March here, so that the leap day comes last.
  private static let shift: Int64 = 719_468
  /// An era of 400 years, after which the calendar repeats.
  private static let daysPerEra: Int64 = 146_097

  /// The date of a day.
  package init(daysSince1970 days: Int64) {
    let (era, dayOfEra) = (days + Self.shift).flooredQuotient(by: Self.daysPerEra)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
  }

  /// The number of the day. A month or a day that does not exist runs into the next.
  package var daysSince1970: Int64 {
    let (era, yearOfEra) = (month <= 2 ? year - 1 : year).flooredQuotient(by: 400)
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * Self.daysPerEra + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - Self.shift
  }
}

/// A time of day, in seconds without leap seconds.
package struct TimeOfDay: Equatable, Sendable {
  package static let secondsPerDay: Int64 = 86_400

  package let hour: Int64
  package let minute: Int64
  package let second: Int64

  /// The day and the time of it, so many seconds after 1970-01-01T00:00:00Z.
  package static func split(secondsSince1970 seconds: Int64) -> (day: Int64, time: TimeOfDay) {
    let (day, second) = seconds.flooredQuotient(by: secondsPerDay)
    return (day, TimeOfDay(hour: second / 3600, minute: second / 60 % 60, second: second % 60))
  }
}

extension Int64 {
  /// The quotient rounded down, and a remainder that is never negative.
  fileprivate func flooredQuotient(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
