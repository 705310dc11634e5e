import Testing

@testable import Backup

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
}
