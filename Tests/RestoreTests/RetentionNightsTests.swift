import Foundation
import System
import Testing

@testable import Archive
@testable import Restore

/// Many nights of several hosts whose clocks go wrong, with a retention after each, against a slow and plain statement of
/// the rule.
struct RetentionNightsTests {
  private typealias Rule = Retention.Rule

  /// Random numbers that are the same in every run: xorshift64*.
  private struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state ^= state >> 12
      state ^= state << 25
      state ^= state >> 27
      return state &* 0x2545_f491_4f6c_dd1d
    }
  }

  private static let day: Int64 = 86_400

  /// Whose clock goes wrong.
  enum Fault: CaseIterable, Sendable {
    case none, server, puller, bothAhead, both
  }

  /// A backup, and when it was truly made.
  private struct Night {
    var backup: Retention.Backup
    var time: Int64
    /// Whether its clocks were right to a day.
    var isDatedWell: Bool
  }

  /// The periods that seconds are in, by Foundation's calendar, as numbers that grow with time.
  private final class Periods {
    private var calendar = Calendar(identifier: .iso8601)
    private var known: [Int64: [Rule: Int]] = [:]

    init() { calendar.timeZone = .gmt }

    func period(_ rule: Rule, _ second: Int64) -> Int {
      if let found = known[second]?[rule] { return found }
      let units: Set<Calendar.Component> = [.year, .month, .day, .hour, .yearForWeekOfYear, .weekOfYear]
      let parts = calendar.dateComponents(units, from: Date(timeIntervalSince1970: Double(second)))
      let month = (parts.year ?? 0) * 100 + (parts.month ?? 0)
      let day = month * 100 + (parts.day ?? 0)
      known[second] = [
        .last: Int(second), .hourly: day * 100 + (parts.hour ?? 0), .daily: day,
        .weekly: (parts.yearForWeekOfYear ?? 0) * 100 + (parts.weekOfYear ?? 0), .monthly: month,
        .yearly: parts.year ?? 0,
      ]
      return known[second]?[rule] ?? 0
    }
  }

  private let periods = Periods()

  /// The names that tiers keep of archives that all have a time: the newest of a period, if fewer periods than the count
  /// are newer.
  private func tiers(_ dated: [(name: BytePath, time: Int64)], _ counts: [Rule: Int]) -> Set<BytePath> {
    var kept: Set<BytePath> = []
    for (rule, count) in counts {
      if rule == .last {
        let sorted = dated.sorted { ($1.time, $1.name) < ($0.time, $0.name) }
        kept.formUnion(sorted.prefix(count).map(\.name))
        continue
      }
      let its = dated.map { periods.period(rule, $0.time) }
      for (one, own) in zip(dated, its) {
        let newer = Set(its.filter { own < $0 })
        let isNewest = !zip(dated, its).contains { $1 == own && (one.time, one.name) < ($0.time, $0.name) }
        if isNewest, newer.count < count { kept.insert(one.name) }
      }
    }
    return kept
  }

  /// The rule: what is in the future by both times stays; all else stays if tiers keep it by the manifest's time, or by
  /// the file's, or by the manifest's unless that is in the future; among all, all complete, or all complete ones that
  /// were never in the future.
  private func oracle(_ all: [Retention.Backup], _ counts: [Rule: Int], now: Int64) -> Set<BytePath> {
    let future = all.filter { min($0.created.wholeSeconds, $0.modified.wholeSeconds) > now }.map(\.name)
    var kept = Set(future)
    for pool in [all, all.filter(\.isComplete), all.filter { $0.isComplete && !$0.isMisdated }] {
      kept.formUnion(tiers(pool.map { ($0.name, $0.created.wholeSeconds) }, counts))
      let present = pool.filter { !future.contains($0.name) }
      for isServer in [true, false] {
        let dated = present.map { one -> (name: BytePath, time: Int64) in
          let (created, modified) = (one.created.wholeSeconds, one.modified.wholeSeconds)
          let (first, second) = isServer ? (created, modified) : (modified, created)
          return (one.name, first <= now ? first : second)
        }
        kept.formUnion(tiers(dated, counts))
      }
    }
    return kept
  }

  @Test(arguments: Fault.allCases, 0..<3)
  func `120 nights keep what the rule says, and lose nothing to one wrong clock`(_ fault: Fault, _ host: Int)
  {
    var dice = Dice(state: UInt64(host * 977 + 41) &* 0x9e37_79b9_7f4a_7c15)
    let counts: [Rule: Int] = [
      [.last: 3, .hourly: 2, .daily: 7, .weekly: 4, .monthly: 3, .yearly: 2],
      [.daily: 5, .monthly: 6], [.last: 14],
    ][host]
    let retention = Retention(counts)
    var there: [Night] = []
    var ever: [Night] = []
    // From October into February: ends of weeks, months and a year.
    let first: Int64 = 1_790_823_600 + Int64(host) * 1234
    var offset: Int64 = 0
    for night in 0..<120 {
      if night % 10 == 3 {
        let offsets = [0, 3600, 40 * Self.day, 365 * Self.day, -3600, -12 * Self.day, -(first / 2)]
        offset = (fault == .bothAhead ? Array(offsets[..<4]) : offsets).randomElement(using: &dice) ?? 0
      }
      // A clock is put right again after some nights; a host is down for a week; a night has two backups.
      if night % 10 == 8 { offset = 0 }
      if (52..<59).contains(night) { continue }
      for run in 0..<(night % 17 == 5 ? 2 : 1) {
        let time = first + Int64(night) * Self.day + Int64(run) * 5400
        let server = fault == .none || fault == .puller ? 0 : offset
        let puller = fault == .none || fault == .server ? 0 : offset
        let now = time + puller + 60
        let new = Night(
          backup: Retention.Backup(
            name: BytePath("backup \(ever.count + 1000)"), created: Timestamp(seconds: time + server),
            modified: Timestamp(seconds: time + puller + 30),
            isComplete: Int.random(in: 0..<9, using: &dice) > 0),
          time: time, isDatedWell: abs(offset) < Self.day)
        there.append(new)
        ever.append(new)
        let choice = retention.choose(
          there.map(\.backup).shuffled(using: &dice), now: Timestamp(seconds: now))
        let kept = Set(choice.kept.map(\.name))
        #expect(kept == oracle(there.map(\.backup), counts, now: now), "night \(night)")
        for name in choice.removed { #expect(choice.reasons[name]?.count == counts.count) }
        // By the time that no clock of these machines knows, over all that was ever made.
        let complete = ever.filter(\.backup.isComplete)
        switch fault {
        case .none, .server, .puller:
          #expect(kept.isSuperset(of: tiers(complete.map { ($0.backup.name, $0.time) }, counts)))
        case .bothAhead where puller == 0:
          let well = there.filter { $0.isDatedWell && $0.backup.isComplete }
          #expect(kept.isSuperset(of: tiers(well.map { ($0.backup.name, $0.time) }, counts)))
        case .bothAhead, .both: break
        }
        there.removeAll { !kept.contains($0.backup.name) }
        // As BackupSeries marks them.
        for index in there.indices {
          let backup = there[index].backup
          if min(backup.created, backup.modified).wholeSeconds > now + Self.day {
            there[index].backup.isMisdated = true
          }
        }
      }
    }
    // Rules are no excuse to keep everything.
    if fault == .none { #expect(there.count < 40) }
  }

  @Test func `what was in the future takes no place when its time has come`() {
    func backup(_ day: Int, isMisdated: Bool = false) -> Retention.Backup {
      let time = Timestamp(seconds: 1_790_823_600 + Int64(day) * Self.day)
      return Retention.Backup(
        name: BytePath("\(day + 100)"), created: time, modified: time, isComplete: true,
        isMisdated: isMisdated)
    }
    let backups = [backup(1), backup(2), backup(3, isMisdated: true)]
    let now = backup(3).created
    #expect(Set(Retention([.last: 2]).choose(backups, now: now).kept.map(\.name)) == ["101", "102", "103"])
    // It is not the newest, of which a database may be missing.
    let inventory = ArchiveInventory(pages: ["a.db": 9])
    let lacking = backups.map { one in
      var one = one
      if !one.isMisdated { one.inventory = inventory }
      return one
    }
    #expect(Retention([.last: 2]).loss(in: lacking, now: now) == nil)
    // When enough have come after it, it goes.
    let later = backups + [backup(4), backup(5)]
    #expect(Retention([.last: 2]).choose(later, now: backup(5).created).removed == ["103", "102", "101"])
  }
}
