import Restore

extension RestoreError {
  /// The line for the terminal: what happened, and which option helps.
  var advised: String {
    switch self {
    case .unknownPath: "--only \(self)"
    case .directory: "--into \(self)"
    case .wouldReplace(let paths):
      "\(listed(paths)) would be replaced; --force does so and keeps what is there under another name"
    case .cannotKeep: "\(self); rename what is there first, or choose the others with --only"
    case .checkUnfinished: "\(self); see --check-timeout"
    case .sharedName: "\(self); choose one of them with --only"
    case .unsafeEntry(_, .nameTooLong): "\(self); choose the others with --only"
    case .unsafeEntry(_, .journalNameTooLong):
      "\(self); unzip it under a shorter one, and choose the others with --only"
    case .unsafeEntry(_, .namesTooLong): "\(self); choose with --only"
    case .unsafeEntry, .notAnArchive, .damaged, .unreadable, .obstacle, .inUse, .unsettled, .staging,
      .rolledBack, .unfinished, .interrupted:
      "\(self)"
    }
  }
}
