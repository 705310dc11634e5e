package import Archive

// The archive library states facts. Which option sets a limit, only a command knows.

extension BackupError {
  /// What happened, and the option that sets the limit, if it is one.
  package var advice: String { advise(description, by: Self.options[reason]) }

  private static let options = [
    "snapshot-age": "--max-snapshot-age", "wal-growth": "--max-wal-growth", "low-space": "--min-free",
  ]
}

extension Skipped {
  /// Why it was skipped, and the option that has to do with it, if there is one.
  package var advice: String { advise(detail, by: Self.options[reason]) }

  private static let options = ["locked": "--busy-timeout", "spool-full": "--spool-directory"]
}

private func advise(_ text: String, by option: String?) -> String {
  option.map { "\(text); see \($0)" } ?? text
}
