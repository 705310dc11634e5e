import System
import Archive
import ArgumentParser
import Glibc
import Pull
import Restore
import Service

/// `sluice restore`: an archive's files back into a directory, all of them or none.
struct RestoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Restore the files of a backup into a directory: all of them, or none.",
    usage: "sluice restore [<archive>] --into <dir> [<options>]",
    discussion: """
      Stop the application first. Every file is verified while it is staged inside DIR; then all are put in place. \
      DIR must exist. A file that replaces another gets the owner, group and mode of that one. A new file gets the \
      owner and group of DIR, and no more permissions than DIR gives. VERSION and MANIFEST.json are restored only \
      if --only names them.

      If a restore was killed, run it again: each restore into DIR first finishes or reverts what another one \
      began.

      With --from, the archive is the newest backup NAME-2026-11-28T031502Z.zip in a directory, or in a store of \
      restic, borg or rclone, whose own variables and files have the password. The program writes the archive to a \
      private file without a name in the spool directory. Whole backups come first: incomplete ones, and those that \
      are dated in the future, are named and come last. If a backup does not verify, it is named, the next older one \
      is taken, and the exit status is 5.

      EXAMPLES
        # Show what would change, and verify the archive.
        sluice restore app.zip --into /var/lib/app --dry-run

        # Replace the files. The old ones are kept beside them.
        sluice restore app.zip --into /var/lib/app --force

        # One database and one folder, into a new directory.
        mkdir look && sluice restore app.zip --into look \\
          --only events.db --only floor_plan

        # What there is, and the newest before a time.
        sluice restore --from /srv/backups --list
        sluice restore --from /srv/backups \\
          --at 2026-11-28T12:00:00+01:00 \\
          --into /var/lib/app --dry-run

      EXIT STATUS
        0   restored
        1   failed; nothing changed, unless the line says so
        2   not an archive of sluice
        3   restored, but something was skipped when it was made
        5   restored, but not from the newest backup, which
            does not verify
        64  the command line is wrong
      """)

  @Argument(
    help: ArgumentHelp("The archive, a file. Without it, give --from.", valueName: "archive"),
    completion: .file())
  var archive: String?

  @OptionGroup var source: SourceArguments

  @Flag(help: "With --from: list the backups, the newest first, and do nothing.")
  var list = false

  @Option(help: ArgumentHelp("The directory to restore into.", valueName: "dir"), completion: .directory)
  var into: String?

  @Option(help: ArgumentHelp("Only this file or folder of the archive; may be repeated.", valueName: "path"))
  var only: [String] = []

  @Flag(help: "Show what would be done, verify the archive, and change nothing.")
  var dryRun = false

  @Flag(help: "Replace existing files, and keep them as NAME.before-restore-TIME.")
  var force = false

  @Option(help: ArgumentHelp("How long SQLite may check one database.", valueName: "time"))
  var checkTimeout = TimeSpan.hours(1)

  func validate() throws {
    guard archive != "-" else {
      throw ValidationError(
        "-: a pipe cannot be restored from, since it is read twice; save it to a file first")
    }
    guard (archive == nil) != (source.from == nil) else {
      throw ValidationError("give an archive, or --from and where the backups are")
    }
    guard source.from != nil || source.at == nil && !list else {
      throw ValidationError("\(list ? "--list" : "--at"): give --from, too")
    }
    if list { return }
    guard let into else { throw ValidationError("--into: give the directory to restore into") }
    guard !into.isEmpty else { throw ValidationError("--into: give a directory") }
  }

  func run() throws {
    let isInterrupted = holdSignals()
    raiseDescriptorLimit()
    guard let source = source.source(isInterrupted: isInterrupted) else {
      guard let archive, let into else { return }
      do { try restore(archive, into: into, isInterrupted) } catch RestoreError.notAnArchive(let detail) {
        printError("sluice: \(printable(detail))")
        throw ExitCode(2)
      } catch let error as RestoreError {
        throw Failure(description: error.advised)
      }
      return
    }
    let choice = BackupChoice(try source.backups(), at: self.source.at?.value, now: .now())
    if list {
      for backup in choice.newestFirst { put("\(choice.line(for: backup))\n", STDOUT_FILENO) }
    } else if let into {
      try restore(choice, from: source, into: into, isInterrupted)
    }
  }

  /// Restores the first that verifies.
  private func restore(
    _ choice: BackupChoice, from source: BackupSource, into: String,
    _ isInterrupted: @escaping @Sendable () -> Bool
  ) throws {
    for (backup, reason) in choice.passedOver {
      printError("sluice: \(backup.file) is passed over: \(reason)")
    }
    var bad: [String] = []
    for backup in choice.order.prefix(BackupChoice.maximumAttempts) {
      do {
        let readable = try source.open(backup)
        put("\(dryRun ? "from" : "restoring from") \(backup.file)\n", STDOUT_FILENO)
        do {
          try restore(readable.path, into: into, isInterrupted)
        } catch let error as RestoreError {
          let words = error.advised.replacing(readable.path, with: backup.file)
          guard error.isOfArchive else { throw Failure(description: words) }
          throw BackupSource.EngineFailure(description: words)
        } catch let code as ExitCode where !bad.isEmpty && code == ExitCode(3) {
          throw ExitCode(5)
        }
        if !bad.isEmpty { throw ExitCode(5) }
        return
      } catch let error as BackupSource.EngineFailure {
        printError("sluice: \(backup.file) does not verify: \(printable("\(error)"))")
        bad.append(backup.file)
        // A store that is away now has no older one, either.
        _ = try source.backups()
      }
    }
    let place = "\(source.shown)\(self.source.at == nil ? "" : " at or before that time")"
    throw Failure(
      description: bad.isEmpty
        ? "there is no backup named \(source.series)-… in \(place)"
        : "none of \(counted(bad.count, "backup")) in \(place) verifies, and nothing was restored")
  }

  private func restore(
    _ archive: String, into: String, _ isInterrupted: @escaping @Sendable () -> Bool
  ) throws {
    try recover(into)
    var restore = try Restore(
      Restore.Options(
        archive: archive, directory: into, only: only.map { BytePath($0) }, force: force,
        checkTimeout: checkTimeout.value), isInterrupted: isInterrupted)
    if dryRun { try showPlan(of: &restore) } else { try carryOut(&restore, into) }
    try warn(of: restore)
  }

  /// Finishes what a run that was killed has left.
  private func recover(_ into: String) throws {
    let left = try Restore.recover(into, dryRun: dryRun)
    for line in left { printError("sluice: \(line)") }
    if dryRun, !left.isEmpty {
      throw Failure(description: "a run without --dry-run does that first; there is no plan before")
    }
  }

  private func showPlan(of restore: inout Restore) throws {
    put(restore.lines.map { $0 + "\n" }.joined(), STDOUT_FILENO)
    try restore.checkUse()
    try restore.verify(spoolDirectory: source.spoolDirectory)
    if !force, restore.counts.kept > 0 {
      put(
        "needs --force: \(counted(restore.counts.kept, "file")) would be replaced or moved\n", STDOUT_FILENO)
    }
  }

  private func carryOut(_ restore: inout Restore, _ into: String) throws {
    let progress = TerminalProgress()
    let size = restore.size
    do {
      defer { progress.clear() }
      try restore.run { progress.show($0, of: size) }
    }
    put(report(of: restore, into).map { $0 + "\n" }.joined(), STDOUT_FILENO)
  }

  /// What was done, and how to delete what was kept.
  private func report(of restore: Restore, _ into: String) -> [String] {
    let (placed, kept) = restore.counts
    let summary = "restored \(counted(placed, "file")) into \(printable(into))"
    guard kept > 0 else { return restore.lines + [summary] }
    return restore.lines + [
      "\(summary); \(counted(kept, "file")) \(kept == 1 ? "is" : "are") kept. When nothing needs them any more:",
      "find \(printable(restore.directory.lossyString.shellQuoted)) -type f -name '*\(restore.keptSuffix)*' -delete",
    ]
  }

  /// - Throws: the exit status, if something was skipped when the archive was made.
  private func warn(of restore: Restore) throws {
    for (path, parts) in restore.notChecked {
      printError(
        "sluice: \(path) is sound, and was not fully checked: \(printable(parts.joined(separator: "; ")))"
      )
    }
    for skipped in restore.skipped {
      printError(
        "sluice: not in the archive: \(printable(skipped.path)) (\(skipped.reason)): \(skipped.detail)")
    }
    if !restore.skipped.isEmpty { throw ExitCode(3) }
  }
}
