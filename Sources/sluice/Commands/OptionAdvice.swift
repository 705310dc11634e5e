import Archive
import Service

extension Advice {
  /// Which option lifts a limit or a refusal, or what an administrator does about it, by its reason: docs/troubleshooting.md. The
  /// libraries state facts, and know no options.
  static let options = Advice([
    "client-stalled": "see --stall-timeout",
    "companion": "include the database",
    "delta-budget": "see --delta-budget",
    "hard-link": "remove one of the names",
    "locked": "see --busy-timeout",
    "low-space": "see --min-free",
    "name-not-utf8": "rename it",
    "no-database": "--allow-empty accepts it",
    "not-a-regular-file": "remove it, or see --exclude",
    "place-age": "see --max-snapshot-age",
    "snapshot-age": "see --max-snapshot-age",
    "spool-full": "see --spool-directory",
    "stopping": "see --drain-timeout",
    "symbolic-link": "include the real path, or serve the real directory",
    "too-deep": "include a lower folder",
    "wal-growth": "see --max-wal-growth",
  ])
}

extension BackupError {
  /// What happened, and the option that has to do with it.
  var advice: String { Advice.options.added(to: description, for: reason) }
}

extension Skipped {
  /// Why it was skipped, and the option that has to do with it.
  var advice: String { Advice.options.added(to: detail, for: reason) }
}
