import Glibc
import System
import Foundation
import TestSupport
import Testing

@testable import Archive
@testable import Restore

/// Random numbers that are the same in every run: SplitMix64.
private struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }
}

private func instant(_ text: String) -> Timestamp {
  guard let instant = Timestamp(text) else { fatalError("\(text) is no time") }
  return instant
}

/// A backup at a time; the name alone says the time of the clock that is right.
private func backup(
  _ created: String, modified: String? = nil, name: String? = nil, isComplete: Bool = true,
  databases: [String: UInt32] = [:], skipped: [String] = []
) -> Retention.Backup {
  Retention.Backup(
    name: BytePath(name ?? created), created: instant(created), modified: instant(modified ?? created),
    isComplete: isComplete,
    inventory: ArchiveInventory(
      pages: Dictionary(uniqueKeysWithValues: databases.map { (BytePath($0.key), $0.value) }),
      leftOut: Set(skipped.map { BytePath($0) })))
}

/// Nights from a day on, at 03:00 UTC.
private func nights(_ count: Int, from day: String = "2026-11-01") -> [Retention.Backup] {
  let first = Int64(ISO8601DateFormatter().date(from: "\(day)T03:00:00Z")?.timeIntervalSince1970 ?? 0)
  return (0..<count).map { backup(Timestamp(seconds: first + Int64($0) * 86_400).seconds) }
}

private let now = instant("2100-01-01T00:00:00Z")

extension Retention.Choice {
  fileprivate var names: Set<BytePath> { Set(kept.map(\.name)) }
}

struct RetentionTests {
  private typealias Rule = Retention.Rule

  @Test func `counts what each tier keeps`() {
    let retention = Retention([.last: 3, .daily: 4, .monthly: 12, .yearly: 0])
    // 2026-10-30 to 2026-11-03, twice a day at the end, and one that is not whole.
    let names = ["10-30", "10-31", "11-01", "11-02", "11-03"].map { "2026-\($0)T03:00:00Z" }
    let times = (names + ["2026-11-03T15:00:00Z"]).map(instant)
    var backups = times.map { (name: BytePath($0.seconds), time: $0, modified: $0, isWhole: true) }
    backups.append(("later", instant("2026-11-04T03:00:00Z"), instant("2026-11-04T03:00:00Z"), false))
    let fill = retention.fill(backups, now: now)
    #expect(fill.map(\.rule) == [.last, .daily, .monthly])
    #expect(fill.map(\.limit) == [3, 4, 12])
    // The newest three; one of each of four days; November's and October's last.
    #expect(fill.map(\.kept) == [3, 4, 2])
  }

  /// What is kept of archives by one clock, by Foundation's calendar and with no order of visits: for each period the
  /// newest, then the newest of those.
  private static func oracle(_ seconds: [Int64], _ counts: [Rule: Int]) -> Set<Int64> {
    var calendar = Calendar(identifier: .iso8601)
    calendar.timeZone = .gmt
    func period(_ rule: Rule, _ second: Int64) -> [Int?] {
      let date = Date(timeIntervalSince1970: Double(second))
      let parts = calendar.dateComponents(
        [.year, .month, .day, .hour, .yearForWeekOfYear, .weekOfYear], from: date)
      return switch rule {
      case .last: [Int(second)]
      case .hourly: [parts.year, parts.month, parts.day, parts.hour]
      case .daily: [parts.year, parts.month, parts.day]
      case .weekly: [parts.yearForWeekOfYear, parts.weekOfYear]
      case .monthly: [parts.year, parts.month]
      case .yearly: [parts.year]
      }
    }
    var kept: Set<Int64> = []
    for (rule, count) in counts {
      let newest = Dictionary(grouping: seconds) { period(rule, $0) }.values.compactMap { $0.max() }
      kept.formUnion(newest.sorted(by: >).prefix(count))
    }
    return kept
  }

  @Test(arguments: 0..<200)
  func `keeps what Foundation's calendar finds`(_ seed: Int) {
    var random = SeededGenerator(state: UInt64(seed))
    // From days to decades, with leap years, ends of years and the nights in which clocks are put forward and back.
    let span = [86_400, 20 * 86_400, 800 * 86_400, 20_000 * 86_400][seed % 4]
    let seconds = Set(
      (0..<Int.random(in: 1...150, using: &random)).map { _ in
        Int64(1_000_000_000 + Int.random(in: 0...span, using: &random))
      })
    var counts: [Rule: Int] = [:]
    for rule in Rule.allCases { counts[rule] = Int.random(in: 0...12, using: &random) }
    if counts.values.allSatisfy({ $0 == 0 }) { counts[.last] = 1 }
    let backups = seconds.map { backup(Timestamp(seconds: $0).seconds) }
    let choice = Retention(counts).choose(backups.shuffled(using: &random), now: now)
    #expect(
      choice.names
        == Set(Self.oracle(Array(seconds), counts).map { BytePath(Timestamp(seconds: $0).seconds) }))
    #expect(choice.names.isDisjoint(with: choice.removed))
    #expect(choice.names.count + choice.removed.count == seconds.count)
  }

  @Test func `a run every night keeps what one run at the end keeps`() {
    let retention = Retention([.last: 3, .daily: 7, .weekly: 4, .monthly: 12])
    let all = nights(900)
    var there: [Retention.Backup] = []
    for night in all {
      there.append(night)
      let removed = Set(retention.choose(there, now: now).removed)
      there.removeAll { removed.contains($0.name) }
    }
    #expect(Set(there.map(\.name)) == retention.choose(all, now: now).names)
    // 7 days, the Sundays of 3 more weeks, the last days of 11 more months; one of those is such a Sunday or day.
    #expect((19...22).contains(there.count))
  }

  @Test func `weeks are those of ISO 8601, and belong to one year only`() {
    // The first four are of week 53 of 2020, which began on 2020-12-28.
    let backups = ["2020-12-28", "2020-12-31", "2021-01-01", "2021-01-03", "2021-01-04", "2021-01-10"]
      .map { backup("\($0)T12:00:00Z") }
    let choice = Retention([.weekly: 5]).choose(backups, now: now)
    #expect(choice.names == ["2021-01-03T12:00:00Z", "2021-01-10T12:00:00Z"])
  }

  @Test func `a period without a backup does not count`() {
    let backups = ["2020-01-31", "2021-06-15", "2026-11-01", "2026-11-28"].map { backup("\($0)T00:00:00Z") }
    let choice = Retention([.monthly: 2]).choose(backups, now: now)
    #expect(choice.names == ["2026-11-28T00:00:00Z", "2021-06-15T00:00:00Z"])
  }

  @Test func `of two at one instant the greater name is kept`() {
    let backups = ["a", "c", "b"].map { backup("2026-11-28T03:00:00Z", name: $0) }
    let choice = Retention([.last: 1, .daily: 1]).choose(backups, now: now)
    #expect(choice == Retention.Choice(kept: [("c", [.last, .daily])], removed: ["b", "a"]))
  }

  @Test func `a fraction of a second makes one newer`() {
    let backups = [backup("2026-11-28T03:00:00.25Z", name: "a"), backup("2026-11-28T03:00:00Z", name: "b")]
    #expect(Retention([.last: 1]).choose(backups, now: now).names == ["a"])
  }

  // MARK: clocks

  @Test(arguments: ["1970-01-01T00:00:00Z", "2026-10-05T03:00:00Z", "2300-01-01T00:00:00Z"])
  func `a server with a wrong clock loses none of the newest`(_ wrong: String) {
    let old = nights(14)
    let new = (15...20).map {
      backup(wrong, modified: "2026-11-\($0)T03:00:00Z", name: "new \($0)")
    }
    let kept = Retention([.last: 4]).choose(old + new, now: now).names
    #expect(kept.isSuperset(of: (17...20).map { BytePath("new \($0)") }))
    // A time in the future says nothing, and the file's own is taken.
    let isFuture = instant(wrong) > now
    #expect(kept.isSuperset(of: isFuture ? [] : old.suffix(4).map(\.name)))
    #expect(kept.count == (isFuture ? 4 : 8))
  }

  @Test
  func `archives that were copied, and all have the time of the copy, are told apart by their manifests`() {
    let copied = nights(30).map { night in
      backup(night.created.seconds, modified: "2026-12-24T00:00:00Z", name: night.name.lossyString)
    }
    let kept = Retention([.daily: 5]).choose(copied, now: now).names
    #expect(kept == Set(copied.suffix(5).map(\.name)))
  }

  @Test func `what both clocks place in the future is kept, and takes no other's place`() {
    let old = nights(5)
    let future = backup("2300-01-01T00:00:00Z")
    let choice = Retention([.last: 2]).choose(old + [future], now: now)
    #expect(choice.names == [future.name, old[3].name, old[4].name])
    #expect(choice.kept.first?.rules == [])
  }

  @Test func `a machine whose clock was set back removes nothing`() {
    let choice = Retention([.last: 1]).choose(nights(20), now: instant("1970-01-01T00:01:00Z"))
    #expect(choice.removed == [])
  }

  @Test func `a machine whose clock was set back keeps what it has just fetched`() {
    let fetched = backup("2026-11-10T02:00:00Z", modified: "2026-11-10T02:00:30Z", name: "fetched")
    let choice = Retention([.last: 1]).choose(nights(20) + [fetched], now: instant("2026-11-10T02:01:00Z"))
    #expect(choice.names.contains("fetched"))
    #expect(choice.names.count == 12)
  }

  // MARK: incomplete ones

  @Test func `an incomplete one never takes the place of a complete one`() {
    let complete = nights(5)
    let incomplete = (6...25).map {
      backup("2026-11-\(String(format: "%02d", $0))T03:00:00Z", isComplete: false)
    }
    let choice = Retention([.last: 3]).choose(complete + incomplete, now: now)
    #expect(choice.names == Set((complete.suffix(3) + incomplete.suffix(3)).map(\.name)))
  }

  @Test func `an incomplete one goes when enough have come after it`() {
    let incomplete = backup("2026-10-01T03:00:00Z", isComplete: false)
    #expect(Retention([.last: 3]).choose(nights(2) + [incomplete], now: now).removed == [])
    #expect(Retention([.last: 3]).choose(nights(3) + [incomplete], now: now).removed == [incomplete.name])
  }

  @Test func `the last complete one stays, whatever comes`() {
    let good = backup("2020-01-01T00:00:00Z")
    let others = nights(100).map { backup($0.created.seconds, isComplete: false) }
    for rule in Rule.allCases {
      #expect(Retention([rule: 1]).choose(others + [good], now: now).names.contains(good.name))
    }
  }

  // MARK: losses

  private static let both: [String: UInt32] = ["a.db": 10, "b.db": 2, "empty.db": 1]

  @Test(
    arguments: [
      (["a.db": 10, "b.db": 2], nil),
      (["a.db": 2, "b.db": 900, "c.db": 1], nil),
      (["a.db": 10], ["b.db"]),
      (["a.db": 10, "b.db": 1], ["b.db"]),
      (["a.db": 0, "b.db": 0], ["a.db", "b.db"]),
      ([:], ["a.db", "b.db"]),
    ] as [([String: UInt32], [String]?)])
  func `sees what is gone`(_ databases: [String: UInt32], _ lost: [String]?) {
    let backups = [
      backup("2026-11-01T03:00:00Z", databases: Self.both),
      backup("2026-11-02T03:00:00Z", databases: databases),
    ]
    let loss = Retention([.last: 1]).loss(in: backups.reversed(), now: now)
    #expect(loss?.databases == lost?.map { BytePath($0) })
    #expect(loss?.archive == (lost == nil ? nil : backups[1].name))
    #expect(loss?.good == (lost == nil ? nil : backups[0].name))
  }

  @Test func `a loss stays one until the database is back, or meant to be gone`() {
    let first = backup("2026-11-01T03:00:00Z", databases: Self.both)
    let later = (2...9).map { backup("2026-11-0\($0)T03:00:00Z", databases: ["a.db": 11]) }
    let back = backup("2026-11-10T03:00:00Z", databases: Self.both)
    #expect(Retention([.last: 1]).loss(in: [first] + later, now: now)?.good == first.name)
    for pattern in ["b.db", "b*", "[b-z].db"] {
      #expect(Retention([.last: 1], gone: [pattern]).loss(in: [first] + later, now: now) == nil)
    }
    #expect(Retention([.last: 1], gone: ["a.db"]).loss(in: [first] + later, now: now)?.databases == ["b.db"])
    #expect(Retention([.last: 1]).loss(in: [first] + later + [back], now: now) == nil)
  }

  @Test func `what an incomplete one names as skipped is not lost, and what it does not name is`() {
    let first = backup("2026-11-01T03:00:00Z", databases: Self.both)
    func second(_ skipped: [String]) -> Retention.Backup {
      backup("2026-11-02T03:00:00Z", isComplete: false, databases: ["a.db": 10], skipped: skipped)
    }
    #expect(Retention([.last: 1]).loss(in: [first, second(["b.db"])], now: now) == nil)
    #expect(Retention([.last: 1]).loss(in: [first, second(["x.db"])], now: now)?.databases == ["b.db"])
    #expect(Retention([.last: 1]).loss(in: [first, second(["."])], now: now)?.databases == ["b.db"])
    let folder = backup("2026-11-01T03:00:00Z", databases: ["a.db": 10, "x/y/c.db": 2, "xy.db": 2])
    #expect(Retention([.last: 1]).loss(in: [folder, second(["x"])], now: now)?.databases == ["xy.db"])
    // An incomplete one is no good one: what comes next is compared with the first.
    let third = backup("2026-11-03T03:00:00Z", databases: ["a.db": 10])
    #expect(Retention([.last: 1]).loss(in: [first, second(["b.db"]), third], now: now)?.good == first.name)
  }

  @Test(arguments: ["1970-01-01T00:00:00Z", "2300-01-01T00:00:00Z"])
  func `a wrong clock hides no loss`(_ wrong: String) {
    let good = nights(5).map { backup($0.created.seconds, databases: Self.both) }
    let future = backup("2300-01-01T00:00:00Z", name: "future", databases: Self.both)
    let newest = backup(wrong, modified: "2026-11-06T03:00:00Z", name: "newest", databases: ["a.db": 1])
    let loss = Retention([.last: 1]).loss(in: good + [future, newest], now: now)
    #expect(loss?.archive == "newest")
    #expect(loss?.databases == ["a.db", "b.db"])
  }

  // MARK: names

  @Test(arguments: [
    ("backup-2026-11-28T031502Z.zip", true),
    ("backup-2026-11-28T031502Z-incomplete.zip", true),
    ("backup-2026-11-28T031502Z-unverified.zip", true),
    ("backup-2026-11-28T031502Z-other.zip", false),
    ("backup-2026-11-28.zip", false),
    ("backup-incomplete.zip", false),
    ("backup-2026-11-28T031502Z.zip.part", false),
    ("backup-2026-11-28T031502Z", false),
    ("backup-2026-11-28T03150Z.zip", false),
    ("backup-2026-11-28T0315022Z.zip", false),
    ("backup-2026-11-28t031502Z.zip", false),
    ("backup-2026-11-28T03150２Z.zip", false),
    ("backup-\u{301}2026-11-28T031502Z.zip", false),
    ("Backup-2026-11-28T031502Z.zip", false),
    ("app-backup-2026-11-28T031502Z.zip", false),
    ("backup-x-2026-11-28T031502Z.zip", false),
    ("backup-", false),
    ("", false),
  ])
  func `only names of the series are its own`(_ name: String, _ isOwn: Bool) {
    #expect(BackupSeries.isName(BytePath(name), of: "backup") == isOwn)
  }

  @Test func `a directory of too many names is none of backups`() throws {
    let folder = try Folder()
    for name in ["a", "b", "c"] { try folder.write(name) }
    #expect(try BackupSeries.names(in: BytePath(folder.path), limit: 3).count == 3)
    #expect(throws: SystemError(call: "readdir of more than 2 names", errno: EOVERFLOW)) {
      try BackupSeries.names(in: BytePath(folder.path), limit: 2)
    }
  }
}
