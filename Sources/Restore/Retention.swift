import Archive
package import System

/// How many backups of a series are kept: of the newest, and of the newest in each hour, day, week, month and year that has
/// any.
///
/// An archive's age is what two clocks say of it: that of the server, which wrote `created` into the manifest, and that of
/// this machine, which gave the file its time. Each archive that the order of either keeps is kept, so one wrong clock
/// removes nothing that the other knows to be new. The name is only a name.
///
/// - **Promotion.** The archive that stands for a period is the newest in it, and it stays until it is out of each of its
///   tiers. While a period has not ended, its newest archive changes; after that it does not. So a run every night keeps
///   what one run at the end keeps.
/// - **The server's clock is wrong**, however: the order of the files' times is right, and keeps all that is to be kept.
/// - **This machine's clock is wrong**, however: so does the order of the manifests' times, which no other time enters.
///   What is newer than this clock by both times is kept, too. Tiers count archives, not time, so a clock that is ahead
///   removes nothing for its age alone.
/// - **Both are ahead**: once this clock is right, such an archive is from the future. It is kept and counts for nothing,
///   and `BackupSeries` marks it, so that it takes no other's place once its time has come, either: it goes when it is out
///   of the tiers of all archives.
/// - **Both were set back**: the archive is as old as they say. No third clock knows better.
package struct Retention: Sendable {
  /// A tier: why an archive is kept.
  package enum Rule: String, CaseIterable, Sendable {
    case last
    case hourly
    case daily
    case weekly
    case monthly
    case yearly

    /// The period that an instant is in; nil for the newest, which have none.
    func period(of time: Timestamp) -> Int64? {
      switch self {
      case .last: return nil
      case .hourly: return time.hour
      case .daily: return time.day
      case .weekly: return time.week
      case .monthly: return time.month
      case .yearly: return time.year
      }
    }
  }

  /// Why a tier does not keep an archive.
  package enum Outdone: Equatable, Sendable {
    /// A newer one is in the same period.
    case byNewerInPeriod
    /// So many newer periods, or archives, fill the tier.
    case byNewer(Int)
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
    /// Whether its file's time was in the future when a retention first saw it.
    var isMisdated = false
    var inventory = ArchiveInventory()
  }

  /// What is kept and what is not, the newest first.
  struct Choice: Equatable {
    /// Each name with its rules. None: all clocks place the archive in the future, and it takes no other's place.
    var kept: [(name: BytePath, rules: [Rule])] = []
    var removed: [BytePath] = []
    /// Of each that is removed, by the server's clock: why each tier does not keep it.
    var reasons: [BytePath: [Rule: Outdone]] = [:]

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

    package init(archive: BytePath, good: BytePath, databases: [BytePath]) {
      self.archive = archive
      self.good = good
      self.databases = databases
    }
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
  /// incomplete one never takes a complete one's place, nor does one from the future take that of the others. The newest
  /// complete archive is always kept.
  ///
  /// - Parameter now: an archive that a clock places after it has its time from the other clock.
  func choose(_ backups: [Backup], now: Timestamp) -> Choice {
    var rules: [BytePath: Set<Rule>] = [:]
    var reasons: [BytePath: [Rule: Outdone]] = [:]
    for clock in [Clock.manifest, .file, .server] {
      let all = Self.newestFirst(backups, clock, now).filter { $0.time != nil }
      let complete = all.filter { $0.backup.isComplete }
      // The last reason is that of the strictest pool that it is in, by the server's clock.
      for pool in [all, complete, complete.filter { !$0.backup.isMisdated }] {
        for (rule, count) in counts where count > 0 {
          for (backup, outdone) in Self.places(pool, rule, count) {
            if outdone == nil { rules[backup.name, default: []].insert(rule) }
            reasons[backup.name, default: [:]][rule] = outdone
          }
        }
      }
    }
    var choice = Choice()
    for (backup, time) in Self.newestFirst(backups, .server, now) {
      if time == nil {
        choice.kept.append((backup.name, []))
      } else if let found = rules[backup.name] {
        choice.kept.append((backup.name, Rule.allCases.filter(found.contains)))
      } else {
        choice.removed.append(backup.name)
        choice.reasons[backup.name] = reasons[backup.name]
      }
    }
    return choice
  }

  /// How many whole backups of a series each tier keeps, by what their names and files say alone.
  ///
  /// - Parameter backups: each with the time in its name and that of its file, and whether its name says that it is whole.
  package func fill(
    _ backups: [(name: BytePath, time: Timestamp, modified: Timestamp, isWhole: Bool)], now: Timestamp
  ) -> [(rule: Rule, kept: Int, limit: Int)] {
    let choice = choose(
      backups.map { Backup(name: $0.name, created: $0.time, modified: $0.modified, isComplete: $0.isWhole) },
      now: now)
    let whole = Set(backups.filter(\.isWhole).map(\.name))
    return Rule.allCases.compactMap { rule in
      guard let limit = counts[rule], limit > 0 else { return nil }
      return (rule, choice.kept.count { whole.contains($0.name) && $0.rules.contains(rule) }, limit)
    }
  }

  /// What a tier says of each archive: nil for the newest of each of the newest periods.
  private static func places(_ newestFirst: [Dated], _ rule: Rule, _ count: Int) -> [(Backup, Outdone?)] {
    var periods = 0
    var current: Int64?
    return newestFirst.map { backup, time in
      let period = time.flatMap(rule.period)
      if period != nil, period == current { return (backup, .byNewerInPeriod) }
      current = period
      periods += 1
      return (backup, periods > count ? .byNewer(count) : nil)
    }
  }

  /// What is not in the newest archive and was in the last good one; nil if nothing is.
  ///
  /// A good archive is complete and has lost nothing itself, so a loss stays one however many archives come after it.
  func loss(in backups: [Backup], now: Timestamp) -> Loss? {
    for clock in [Clock.server, .file] {
      let newestFirst = Self.newestFirst(backups, clock, now)
      // What comes from the future is the oldest here: the newest of the others has to hold what it held.
      let doubtful = { (dated: Dated) in dated.time == nil || dated.backup.isMisdated }
      let order = newestFirst.filter(doubtful) + newestFirst.filter { !doubtful($0) }.reversed()
      var good: Backup?
      var loss: Loss?
      for (backup, _) in order {
        let databases = good.map { backup.inventory.lacks($0.inventory.databases, gone: gone) } ?? []
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

  // MARK: the two clocks

  private typealias Dated = (backup: Backup, time: Timestamp?)

  private enum Clock {
    /// `created`, or else `modified`.
    case server
    /// `modified`, or else `created`.
    case file
    /// `created`, whatever this machine's clock is.
    case manifest
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
          case .manifest: [backup.created]
          }
        return (backup, times.first { clock == .manifest || $0 <= now })
      }
      .sorted { left, right in
        if left.time == right.time { return right.backup.name < left.backup.name }
        guard let leftTime = left.time else { return true }
        guard let rightTime = right.time else { return false }
        return rightTime < leftTime
      }
  }
}
