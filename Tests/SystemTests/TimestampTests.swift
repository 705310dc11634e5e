import Testing

@testable import System

struct TimestampTests {
  @Test(arguments: [
    (0, "1970-01-01T00:00:00.000Z"),
    (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123Z"),
    (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
    (-1, "1969-12-31T23:59:59.999Z"),
    (-1_000_000_000, "1969-12-31T23:59:59.000Z"),
  ])
  func `writes RFC 3339`(_ nanoseconds: Int64, _ text: String) {
    let timestamp = Timestamp(nanoseconds: nanoseconds)
    #expect(timestamp.milliseconds == text)
    #expect(timestamp.seconds == text.prefix(19) + "Z")
    #expect(timestamp.date == text.prefix(10))
  }

  @Test(arguments: [Int64.max, Int64.min, 10_413_792_000])
  func `takes any time that a file may claim`(_ seconds: Int64) {
    #expect(!Timestamp(seconds: seconds).seconds.isEmpty)
  }

  @Test(arguments: [
    "0000-02-29T00:00:00Z", "1600-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z",
    "2000-02-29T12:30:15Z", "2100-03-01T00:00:00Z", "9999-12-31T23:59:59Z",
  ])
  func `reads what it writes`(_ text: String) throws {
    #expect(try #require(Timestamp(text)).seconds == text)
    let precise = try #require(Timestamp(text.dropLast() + ".25Z"))
    #expect(precise.milliseconds == text.dropLast() + ".250Z")
    #expect(try #require(Timestamp(text)) < precise)
  }

  @Test(arguments: [
    "", "2026-11-28", "2026-11-28T03:15:02", "2026-11-28T03:15:02+01:00", "2026-11-28 03:15:02Z",
    "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
    "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z",
    "2026-01-01T00:00:00.0000000000Z", "2026-01-01T00:00:00.-1Z", "-026-01-01T00:00:00Z",
    "2026-01-01T00:00:0\u{660}Z", "20260-1-01T00:00:00Z",
  ])
  func `reads nothing else`(_ text: String) {
    #expect(Timestamp(text) == nil)
  }

  @Test func `counts days, weeks and months on both sides of 1970`() throws {
    let sunday = try #require(Timestamp("1969-12-28T23:59:59Z"))
    let monday = try #require(Timestamp("1969-12-29T00:00:00Z"))
    #expect((sunday.day, monday.day) == (-4, -3))
    #expect((sunday.week, monday.week) == (-1, 0))
    #expect(Timestamp(seconds: 0).month == 1970 * 12)
    #expect(sunday.month == 1970 * 12 - 1)
  }
}
