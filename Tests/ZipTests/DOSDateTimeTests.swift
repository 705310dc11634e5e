import Testing

@testable import Zip

@Suite struct DOSDateTimeTests {
  @Test func `agrees with Python's calendar on days in every year there is`() throws {
    // Every 9 days and some, so that all months and hours come up.
    let times = Array(
      stride(from: DOSDateTime.range.lowerBound, through: DOSDateTime.range.upperBound, by: 800_011))
    let folder = try TemporaryFolder()
    let file = try folder.write(times.map(String.init).joined(separator: "\n"), to: "times")
    let output = try Tool.python(
      """
      import sys, time
      for line in open(sys.argv[1]):
          t = time.gmtime(int(line))
          print((t.tm_year - 1980) << 9 | t.tm_mon << 5 | t.tm_mday, t.tm_hour << 11 | t.tm_min << 5 | t.tm_sec // 2)
      """, [file], in: folder)
    let lines = times.map { seconds in
      let dos = DOSDateTime(secondsSince1970: seconds)
      return "\(dos.date) \(dos.time)"
    }
    #expect(output.split(separator: "\n").map(String.init) == lines)
  }

  @Test(arguments: [
    (951_782_400, 20, 2, 29),  // 2000-02-29
    (4_107_542_400, 120, 3, 1),  // 2100-03-01, after a February of 28 days
    (4_107_542_399, 120, 2, 28),
  ])
  func `knows the leap years`(seconds: Int64, year: UInt16, month: UInt16, day: UInt16) {
    #expect(DOSDateTime(secondsSince1970: seconds).date == year << 9 | month << 5 | day)
  }

  @Test(arguments: [
    (Int64.min, "1980-1-1 0:0:0"), (0, "1980-1-1 0:0:0"), (315_532_799, "1980-1-1 0:0:0"),
    (315_532_802, "1980-1-1 0:0:2"), (4_354_819_195, "2107-12-31 23:59:54"),
    (4_354_819_200, "2107-12-31 23:59:58"), (.max, "2107-12-31 23:59:58"),
  ])
  func `takes a time outside 1980 to 2107 for the nearest inside`(seconds: Int64, nearest: String) {
    let (date, time) = (
      DOSDateTime(secondsSince1970: seconds).date, DOSDateTime(secondsSince1970: seconds).time
    )
    let day = "\(1980 + (date >> 9))-\((date >> 5) & 15)-\(date & 31)"
    #expect("\(day) \(time >> 11):\((time >> 5) & 63):\((time & 31) * 2)" == nearest)
  }

  @Test(arguments: [
    (0, true), (0x7fff_ffff, true), (0x8000_0000, false), (-1, false), (Int64.min, false), (Int64.max, false),
  ])
  func `an extended timestamp is there only for a time that every reader takes as it is meant`(
    seconds: Int64, isThere: Bool
  ) throws {
    let archive = try TestArchive([TestMember("a", [1], modified: seconds)])
    let member = try #require(try StrictReader(archive).members.first)
    #expect((member.localExtra["5455"] != nil) == isThere)
    #expect((member.centralExtra["5455"] != nil) == isThere)
  }
}
