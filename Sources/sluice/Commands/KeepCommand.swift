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
      Z-unverified.zip, as sluice-pull names them. No other file is removed. A backup is kept if one of the rules \
      keeps it. A day, a week (Monday to Sunday) or a month without a backup does not count. All times are UTC.

      A backup has two times: the one in its manifest and the one of its file. It is kept if a rule keeps it by \
      either of them, so that one wrong clock removes nothing. Incomplete and unverified backups never take the \
      place of others. A file that cannot be read as a backup is kept and named.

      If the newest backup lacks a database that the last good one has, or has it without a table, nothing is \
      removed and the exit status is 1, until a backup has the database again or --gone names it. Only manifests \
      are read, so verify a new backup first.

      EXAMPLES
        # Show what would be removed.
        sluice keep /srv/backups --last 14 --dry-run

        sluice keep /srv/backups \\
          --last 14 --daily 7 --weekly 4 --monthly 12

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
  var name = "backup"

  @Option(help: ArgumentHelp("Keep the newest N.", valueName: "n"))
  var last = 0

  @Option(help: ArgumentHelp("Keep the newest of each of the last N days.", valueName: "n"))
  var daily = 0

  @Option(help: ArgumentHelp("Keep the newest of each of the last N weeks.", valueName: "n"))
  var weekly = 0

  @Option(help: ArgumentHelp("Keep the newest of each of the last N months.", valueName: "n"))
  var monthly = 0

  @Option(
    help: ArgumentHelp(
      "Shell pattern of databases that the application removes on purpose. If they are gone, old backups "
        + "are removed all the same. It is matched against the path and against its last name; may be repeated.",
      valueName: "pattern"))
  var gone: [String] = []

  @Flag(help: "Show what would be kept and removed, and change nothing.")
  var dryRun = false

  private var counts: [Retention.Rule: Int] {
    [.last: last, .daily: daily, .weekly: weekly, .monthly: monthly]
  }

  func validate() throws {
    for (rule, count) in counts where count < 0 {
      throw ValidationError("--\(rule) \(count): give a number from 0 on")
    }
    guard counts.values.contains(where: { $0 > 0 }) else {
      throw ValidationError("give --last, --daily, --weekly or --monthly: without one, nothing would be kept")
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
    let plan = series.plan(Retention(counts, gone: gone))
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
        for name in plan.removed { put("remove \(name)\n", STDOUT_FILENO) }
      }
    }
    if let loss = plan.loss { throw Failure(description: describe(loss)) }
    guard !dryRun else { return }
    do {
      try series.carryOut(plan) { put("removed \($0)\n", STDOUT_FILENO) }
    } catch {
      throw Failure(description: "\(directory): an old backup cannot be removed: \(error)")
    }
  }

  /// Of many databases only the first are named.
  private func describe(_ loss: Retention.Loss) -> String {
    return
      "nothing is removed: \(loss.archive) lacks what \(loss.good) has: \(listed(loss.databases)) "
      + "(absent or without a table); if that is meant, add --gone \(loss.databases[0])"
  }
}
