import Testing

@testable import System

struct QuantityTests {
  @Test(
    arguments: [
      ("0", 0), ("1048576", 1 << 20), ("64MiB", 64 << 20), ("1.5GB", 1_500_000_000), ("1kB", 1000),
      ("2KiB", 2048),
      ("0.5TiB", 1 << 39), ("7B", 7), ("1.000000001GB", 1_000_000_001),
      ("2305843009213693951", 2_305_843_009_213_693_951),
      ("1.9B", 1),
    ] as [(String, UInt64)])
  func `reads numbers of bytes`(_ text: String, _ count: UInt64) {
    #expect(Quantity.byteCount(text) == count)
  }

  @Test(arguments: [
    "", "MiB", "-1", "+1", "1 MiB", "1mib", "1MIB", "1e3", "0x10", "1.MiB", ".5MiB", "1.5.5", "1,5MiB",
    "1.0000000001GB",
    "2305843009213693952", "99999999999TiB", "99999999999999999999", "0.1B", "0.0000001KiB", "1MiB ",
    "\u{661}MiB",
    "1\u{301}", "64\u{212a}iB", "5s", "5%",
  ])
  func `refuses what is no number of bytes, or too many, or none where some were meant`(_ text: String) {
    #expect(Quantity.byteCount(text) == nil)
  }

  @Test(
    arguments: [
      ("500ms", .milliseconds(500)), ("5s", .seconds(5)), ("10min", .seconds(600)), ("10m", .seconds(600)),
      ("1.5h", .seconds(5400)), ("1d", .seconds(86_400)), ("0s", .zero), ("3650d", .seconds(3650 * 86_400)),
      ("0.001s", .milliseconds(1)),
    ] as [(String, Duration)])
  func `reads times`(_ text: String, _ time: Duration) {
    #expect(Quantity.duration(text) == time)
  }

  @Test(arguments: ["", "5", "s", "-5s", "5 s", "5S", "1w", "0.0001s", "3651d", "5MiB"])
  func `refuses what is no time, or longer than ten years`(_ text: String) {
    #expect(Quantity.duration(text) == nil)
  }

  @Test(arguments: [("5%", 500), ("0%", 0), ("0.01%", 1), ("99.99%", 9999)] as [(String, UInt64)])
  func `reads shares`(_ text: String, _ share: UInt64) {
    #expect(Quantity.share(text) == share)
  }

  @Test func `counts one in the singular`() {
    #expect(counted(1, "file") == "1 file")
    #expect([0, 2, 11].map { counted($0, "file") } == ["0 files", "2 files", "11 files"])
    #expect(counted(1 as UInt64, "entry", "entries") == "1 entry")
    #expect(counted(3, "entry", "entries") == "3 entries")
  }

  @Test(arguments: ["", "5", "%", "100%", "0.001%", "-1%", "5 %"])
  func `refuses what is no share of less than all`(_ text: String) {
    #expect(Quantity.share(text) == nil)
  }
}
