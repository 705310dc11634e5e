import System
import Archive
import ArgumentParser
import EventLoop
import Glibc
import Restore
import Service

/// `sluice keep`: removes old backups.
struct KeepCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keep",
    abstract: "Remove old backups from a directory, and keep the newest ones.",
    usage: "sluice keep <dir> [<options>]",
    discussion: """
      The backups are the files DIR/NAME-2026-11-28T031502Z.zip and those that end in Z-incomplete.zip or \
      Z-unverified.zip, as sluice pull names them. No other file is removed. A backup is kept if one of the tiers \
      keeps it. An hour, a day, a week (Monday to Sunday), a month or a year without a backup does not count. All \
      times are UTC.

      A backup has two times: the one in its manifest and the one of its file. It is kept if a tier keeps it by \
      either of them, so that one wrong clock removes nothing. A backup from the future is kept and never takes the \
      place of others, and neither do incomplete and unverified ones. A file that cannot be read as a backup is \
      kept and named.

      If the newest backup lacks a database that the last good one has, or has it without a table, nothing is \
      removed and the exit status is 1, until a backup has the database again or --gone names it. Only manifests \
      are read, so verify a new backup first.

      EXAMPLES
        # Show what would be removed and what stays, and why.
        sluice keep /srv/backups --last 14 --dry-run

        sluice keep /srv/backups \\
          --last 14 --daily 7 --weekly 4 --monthly 12 --yearly 5

        # Databases called log-* come and go.
        sluice keep /srv/backups --name app-backup --last 3 \\
          --gone 'log-*.db'

      EXIT STATUS
        0   done
        1   failed, or a database is gone and nothing was removed
        64  the command line is wrong
      """)

  @Argument(
    help: ArgumentHelp("The directory with the backups.", valueName: "dir"), completion: .directory)
  var directory: String

  @Option(help: ArgumentHelp("What the names of the backups begin with.", valueName: "name"))
  var name = Self.defaultName

  static let defaultName = "backup"

  @OptionGroup var retention: RetentionArguments

  @Flag(help: "Show what would be kept and removed, and change nothing.")
  var dryRun = false

  func validate() throws {
    guard !retention.isEmpty else {
      throw ValidationError("give \(RetentionArguments.names): without one, nothing would be kept")
    }
    guard !name.isEmpty, !name.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "/") }) else {
      throw ValidationError("--name \(name): give what the names of the backups begin with, such as backup")
    }
    guard !directory.isEmpty else { throw ValidationError("give the directory with the backups") }
  }

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    raiseDescriptorLimit()
    let series: BackupSeries
    do { series = try BackupSeries(in: directory, name: name) } catch {
      throw Failure(description: "\(directory) cannot be read: \(error)")
    }
    let plan = series.plan(Retention(retention.counts, gone: retention.gone))
    for (name, detail) in series.unjudged {
      put("left \(name): \(printable(detail))\n", STDOUT_FILENO)
    }
    if dryRun {
      for (name, rules) in plan.kept {
        let why =
          rules.isEmpty ? "dated in the future by both clocks" : rules.map(\.rawValue).joined(separator: ", ")
        put("keep \(name): \(why)\n", STDOUT_FILENO)
      }
      if plan.loss == nil {
        for name in plan.removed {
          put("remove \(name): \(describe(plan.reasons[name] ?? [:]))\n", STDOUT_FILENO)
        }
      }
    }
    if let loss = plan.loss { throw Failure(description: loss.said) }
    guard !dryRun else { return }
    do {
      try series.carryOut(plan) { put("removed \($0)\n", STDOUT_FILENO) }
    } catch {
      throw Failure(description: "\(directory): an old backup cannot be removed: \(error)")
    }
  }

  /// Each tier, and why it does not keep an archive.
  private func describe(_ reasons: [Retention.Rule: Retention.Outdone]) -> String {
    Retention.Rule.allCases.compactMap { rule in
      reasons[rule].map { reason in
        switch reason {
        case .byNewerInPeriod: "\(rule): not the newest of its \(rule.unit)"
        case .byNewer(let count): "\(rule): \(counted(count, "newer \(rule.unit)"))"
        }
      }
    }.joined(separator: "; ")
  }
}

extension Retention.Loss {
  /// Of many databases only the first are named.
  var said: String {
    "nothing is removed: \(archive) lacks what \(good) has: \(listed(databases)) "
      + "(absent or without a table); if that is meant, add --gone \(databases[0])"
  }
}

extension Retention.Rule {
  /// What a tier counts.
  fileprivate var unit: String {
    switch self {
    case .last: "backup"
    case .hourly: "hour"
    case .daily: "day"
    case .weekly: "week"
    case .monthly: "month"
    case .yearly: "year"
    }
  }
}
