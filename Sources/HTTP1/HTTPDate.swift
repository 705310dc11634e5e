/// A moment as HTTP writes it, in whole seconds: `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// Making the text costs an allocation; a busy server keeps it for the second it is good for.
///
/// RFC 9110 §5.6.7, IMF-fixdate.
package struct HTTPDate: Sendable, Hashable, CustomStringConvertible {
  /// The first second of a year of five digits, which the format cannot write.
  private static let end: Int64 = 253_402_300_800
  private static let secondsPerDay: Int64 = 86_400

  /// Seconds since 1970-01-01T00:00:00Z.
  package let unixSeconds: Int64

  /// Takes a moment from 1970 to the end of 9999; one outside (a clock gone wrong) becomes the nearest inside.
  package init(unixSeconds: Int64) {
    self.unixSeconds = max(0, min(unixSeconds, Self.end - 1))
  }

  /// `day-name "," SP date1 SP time-of-day SP GMT`.
  package var description: String {
    let days = unixSeconds / Self.secondsPerDay
    let second = unixSeconds % Self.secondsPerDay
    let (year, month, day) = Self.civil(daysSinceEpoch: days)
    var text: [UInt8] = []
    text.reserveCapacity(29)
    // 1970-01-01 was a Thursday.
    text.append(contentsOf: Self.name(Int((days + 4) % 7), in: "SunMonTueWedThuFriSat"))
    text.append(contentsOf: ", ".utf8)
    Self.append(day, digits: 2, to: &text)
    text.append(.space)
    text.append(contentsOf: Self.name(Int(month - 1), in: "JanFebMarAprMayJunJulAugSepOctNovDec"))
    text.append(.space)
    Self.append(year, digits: 4, to: &text)
    text.append(.space)
    Self.append(second / 3600, digits: 2, to: &text)
    text.append(.colon)
    Self.append(second / 60 % 60, digits: 2, to: &text)
    text.append(.colon)
    Self.append(second % 60, digits: 2, to: &text)
    text.append(contentsOf: " GMT".utf8)
    return String(decoding: text, as: UTF8.self)
  }

  /// The proleptic Gregorian date of a day, years counted from March so that the leap day comes last.
  ///
  /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`:
  /// https://howardhinnant.github.io/date_algorithms.html
  private static func civil(daysSinceEpoch days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    // 719,468 days lie between 0000-03-01 and 1970-01-01; 146,097 make an era of 400 years.
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  /// The three letters at `index` of a row of names.
  private static func name(_ index: Int, in names: String) -> some Sequence<UInt8> {
    names.utf8.dropFirst(index * 3).prefix(3)
  }

  private static func append(_ number: Int64, digits: Int, to text: inout [UInt8]) {
    var divisor: Int64 = digits == 4 ? 1000 : 10
    while divisor > 0 {
      text.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
      divisor /= 10
    }
  }
}
