import Archive
import Service

extension Advice {
  /// Which option lifts a limit or a refusal, by its reason. The libraries state facts, and know no options.
  static let options = Advice([
    "client-stalled": "see --stall-timeout",
    "delta-budget": "see --delta-budget",
    "locked": "see --busy-timeout",
    "low-space": "see --min-free",
    "no-database": "--allow-empty accepts it",
    "place-age": "see --max-snapshot-age",
    "snapshot-age": "see --max-snapshot-age",
    "spool-full": "see --spool-directory",
    "stopping": "see --drain-timeout",
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
