import Archive
package import System

/// How many backups of a series are kept: of the newest, and of the newest in each day, week and month that has any.
///
/// An archive's age is what two clocks say of it: that of the server, which wrote `created` into the manifest, and that of
/// this machine, which gave the file its time. Each archive that either order keeps is kept, so one wrong clock removes
/// nothing that the other knows to be new.
package struct Retention: Sendable {
  /// Why an archive is kept.
  package enum Rule: String, CaseIterable, Sendable {
    case last
    case daily
    case weekly
    case monthly
  }

  /// One backup of the series, and what it says of itself.
  struct Backup {
    var name: BytePath
    /// When the server began it, as its manifest says.
    var created: Timestamp
    /// When its file was written here.
    var modified: Timestamp
    /// Whether nothing was skipped, and the archive was verified.
    var isComplete: Bool
    /// How many pages each database in it has.
    var databases: [BytePath: UInt32] = [:]
    /// What its manifest names as left out.
    var leftOut: Set<BytePath> = []

    /// Whether its manifest says that a path was left out, or a folder of it.
    func names(_ path: BytePath) -> Bool {
      leftOut.contains(path) || path.ancestors.contains(where: leftOut.contains)
    }
  }

  /// What is kept and what is not, the newest first.
  struct Choice: Equatable {
    /// Each name with its rules. None: all clocks place the archive in the future, and it takes no other's place.
    var kept: [(name: BytePath, rules: [Rule])] = []
    var removed: [BytePath] = []

    static func == (left: Choice, right: Choice) -> Bool {
      left.removed == right.removed && left.kept.elementsEqual(right.kept, by: ==)
    }
  }

  /// Databases that the newest archive has no longer, or has empty.
  package struct Loss: Equatable, Sendable {
    /// The newest archive.
    package var archive: BytePath
    /// The last good one before it, in which they are.
    package var good: BytePath
    /// Their paths, sorted.
    package var databases: [BytePath]
  }

  private let counts: [Rule: Int]
  /// Databases that are meant to be gone.
  private let gone: Exclusion

  /// - Parameters:
  ///   - counts: how many each rule keeps; a rule without a count keeps none. One of them is above 0.
  ///   - gone: shell patterns of databases that the application removes on purpose: their absence is no loss.
  package init(_ counts: [Rule: Int], gone: [String] = []) {
    precondition(counts.values.contains { $0 > 0 }, "nothing would be kept")
    self.counts = counts
    self.gone = Exclusion(gone)
  }

  /// Chooses among the backups of one series.
  ///
  /// Complete archives are chosen among themselves; an incomplete one is kept when it would be among all of them. So an
  /// incomplete one never takes a complete one's place. The newest complete archive is always kept.
  ///
  /// - Parameter now: an archive that a clock places after it has its time from the other clock.
  func choose(_ backups: [Backup], now: Timestamp) -> Choice {
    var rules: [BytePath: Set<Rule>] = [:]
    for clock in Clock.allCases {
      let all = Self.newestFirst(backups, clock, now).filter { $0.time != nil }
      for pool in [all, all.filter { $0.backup.isComplete }] {
        for (rule, count) in counts { mark(pool, rule, count, &rules) }
      }
    }
    var choice = Choice()
    for (backup, time) in Self.newestFirst(backups, .server, now) {
      if let found = rules[backup.name] {
        choice.kept.append((backup.name, Rule.allCases.filter(found.contains)))
      } else if time == nil {
        choice.kept.append((backup.name, []))
      } else {
        choice.removed.append(backup.name)
      }
    }
    return choice
  }

  /// Marks the newest archive of each of the newest periods.
  private func mark(
    _ newestFirst: [Dated], _ rule: Rule, _ count: Int,
    _ rules: inout [BytePath: Set<Rule>]
  ) {
    var marked = 0
    var current: Int64?
    for (position, (backup, time)) in newestFirst.enumerated() {
      guard let time, marked < count else { return }
      let period =
        switch rule {
        case .last: Int64(position)
        case .daily: time.day
        case .weekly: time.week
        case .monthly: time.month
        }
      guard period != current else { continue }
      current = period
      marked += 1
      rules[backup.name, default: []].insert(rule)
    }
  }

  /// What is not in the newest archive and was in the last good one; nil if nothing is.
  ///
  /// A good archive is complete and has lost nothing itself, so a loss stays one however many archives come after it. A
  /// database of one page has no table: only the page of the schema is left. What an archive names as left out is not
  /// lost.
  func loss(in backups: [Backup], now: Timestamp) -> Loss? {
    for clock in Clock.allCases {
      let newestFirst = Self.newestFirst(backups, clock, now)
      // What comes from the future is the oldest here: the newest of the others has to hold what it held.
      let order =
        newestFirst.filter { $0.time == nil }
        + newestFirst.filter { $0.time != nil }.reversed()
      var good: Backup?
      var loss: Loss?
      for (backup, _) in order {
        let databases = good.map { lost(from: $0, in: backup) } ?? []
        loss = good.flatMap { good in
          databases.isEmpty
            ? nil : Loss(archive: backup.name, good: good.name, databases: databases)
        }
        if loss == nil, backup.isComplete { good = backup }
      }
      if let loss { return loss }
    }
    return nil
  }

  private func lost(from good: Backup, in backup: Backup) -> [BytePath] {
    good.databases
      .filter { path, pages in
        pages > 1 && backup.databases[path, default: 0] <= 1
          && !gone.matchesAnyPart(of: path) && !backup.names(path)
      }
      .keys.sorted()
  }

  // MARK: the two clocks

  private typealias Dated = (backup: Backup, time: Timestamp?)

  private enum Clock: CaseIterable {
    /// `created`
    case server
    /// `modified`
    case file
  }

  /// - Returns: each with its time; nil, and first, for those that both clocks place in the future. Of two at one instant
  ///   the greater name is the newer.
  private static func newestFirst(
    _ backups: [Backup], _ clock: Clock, _ now: Timestamp
  ) -> [Dated] {
    backups
      .map { backup -> Dated in
        let times =
          switch clock {
          case .server: [backup.created, backup.modified]
          case .file: [backup.modified, backup.created]
          }
        return (backup, times.first { $0 <= now })
      }
      .sorted { left, right in
        if left.time == right.time { return right.backup.name < left.backup.name }
        guard let leftTime = left.time else { return true }
        guard let rightTime = right.time else { return false }
        return rightTime < leftTime
      }
  }
}
