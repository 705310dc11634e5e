import System

/// A moment as HTTP writes it, in whole seconds: `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// Making the text costs an allocation; a busy server keeps it for the second it is good for.
///
/// RFC 9110 §5.6.7, IMF-fixdate.
package struct HTTPDate: Sendable, Hashable, CustomStringConvertible {
  /// The first second of a year of five digits, which the format cannot write.
  private static let end: Int64 = 253_402_300_800

  /// Seconds since 1970-01-01T00:00:00Z.
  package let unixSeconds: Int64

  /// Takes a moment from 1970 to the end of 9999; one outside (a clock gone wrong) becomes the nearest inside.
  package init(unixSeconds: Int64) {
    self.unixSeconds = max(0, min(unixSeconds, Self.end - 1))
  }

  /// `day-name "," SP date1 SP time-of-day SP GMT`.
  package var description: String {
    let (days, time) = TimeOfDay.split(secondsSince1970: unixSeconds)
    let date = CivilDate(daysSince1970: days)
    var text: [UInt8] = []
    text.reserveCapacity(29)
    // 1970-01-01 was a Thursday.
    text.append(contentsOf: Self.name(Int((days + 4) % 7), in: "SunMonTueWedThuFriSat"))
    text.append(contentsOf: ", ".utf8)
    Self.append(date.day, digits: 2, to: &text)
    text.append(.space)
    text.append(contentsOf: Self.name(Int(date.month - 1), in: "JanFebMarAprMayJunJulAugSepOctNovDec"))
    text.append(.space)
    Self.append(date.year, digits: 4, to: &text)
    text.append(.space)
    Self.append(time.hour, digits: 2, to: &text)
    text.append(.colon)
    Self.append(time.minute, digits: 2, to: &text)
    text.append(.colon)
    Self.append(time.second, digits: 2, to: &text)
    text.append(contentsOf: " GMT".utf8)
    return String(decoding: text, as: UTF8.self)
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
