import Glibc
import Testing

@testable import System

struct CivilDateTests {
  /// Four centuries around 1970, each day of which the C library knows, too.
  @Test func `agrees with the C library, both ways`() {
    for day in stride(from: Int64(-80_000), through: 80_000, by: 1) {
      var (time, parts) = (time_t(day * 86_400), tm())
      gmtime_r(&time, &parts)
      let date = CivilDate(daysSince1970: day)
      let expected = CivilDate(
        year: Int64(parts.tm_year) + 1900, month: Int64(parts.tm_mon) + 1, day: Int64(parts.tm_mday))
      guard date == expected, date.daysSince1970 == day else {
        Issue.record("day \(day): \(date), \(expected)")
        return
      }
    }
  }

  @Test(
    arguments: [
      (2023, 2, 29, 2023, 3, 1), (2024, 2, 30, 2024, 3, 1), (2024, 13, 1, 2025, 1, 1),
      (2024, 0, 5, 2023, 12, 5),
    ] as [(Int64, Int64, Int64, Int64, Int64, Int64)])
  func `a day that does not exist runs into the next`(
    _ year: Int64, _ month: Int64, _ day: Int64, _ nextYear: Int64, _ nextMonth: Int64, _ nextDay: Int64
  ) {
    #expect(
      CivilDate(year: year, month: month, day: day).daysSince1970
        == CivilDate(year: nextYear, month: nextMonth, day: nextDay).daysSince1970)
  }

  @Test(
    arguments: [
      (0, 0, 0, 0, 0), (-1, -1, 23, 59, 59), (86_399, 0, 23, 59, 59), (86_400, 1, 0, 0, 0),
      (-86_400, -1, 0, 0, 0),
    ] as [(Int64, Int64, Int64, Int64, Int64)])
  func `splits seconds into a day and its time`(
    _ seconds: Int64, _ day: Int64, _ hour: Int64, _ minute: Int64, _ second: Int64
  ) {
    let (found, time) = TimeOfDay.split(secondsSince1970: seconds)
    #expect(found == day)
    #expect(time == TimeOfDay(hour: hour, minute: minute, second: second))
  }
}
