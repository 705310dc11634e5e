/// What is counted of a backup that has ended.
package struct EndedBackup {
  /// Of the archive, once its snapshots were held.
  package struct Archive {
    package var state: String
    /// The opaque entity tag.
    package var tag: String
    package var databases: Int
    package var skewMilliseconds: Double
  }

  package var outcome: BackupOutcome
  /// Why it failed.
  package var reason: String?
  /// Whether `?db=` chose the databases.
  package var isSelection: Bool
  package var bytesRead: UInt64
  package var bytesSent: UInt64
  package var duration: Duration
  package var archive: Archive?
}

extension ServiceState {
  /// Counts a backup that has ended.
  ///
  /// - Parameter now: seconds since 1970.
  package mutating func add(_ backup: EndedBackup, at now: Int) {
    counts.bytesRead += backup.bytesRead
    counts.bytesSent += backup.bytesSent
    counts.seconds += backup.duration.inSeconds
    if let reason = backup.reason {
      counts.aborted[reason, default: 0] += 1
    } else if backup.isSelection {
      counts.selected[backup.outcome.rawValue, default: 0] += 1
    } else {
      counts.completed[backup.outcome.rawValue, default: 0] += 1
    }
    lastBackup = Backup(
      outcome: backup.outcome, isSelection: backup.isSelection, ended: now, bytes: backup.bytesSent)
    guard !backup.isSelection, let archive = backup.archive else { return }
    switch backup.outcome {
    case .complete:
      lastComplete = Complete(
        ended: now, tag: archive.tag, databases: archive.databases, bytes: backup.bytesSent,
        skewMilliseconds: archive.skewMilliseconds)
    case .incomplete: break
    case .ranges, .failed:
      unfinishedTags = unfinishedTags.suffix(Self.maximumUnfinishedTags - 1) + [archive.tag]
    }
  }

  /// Notes that a client has an archive of the present state; not if that archive was not sent to its end.
  ///
  /// - Parameter tag: of the archive that the client has.
  package mutating func addCurrent(_ archive: EndedBackup.Archive, _ tag: String, at now: Int) {
    guard !unfinishedTags.contains(tag) else { return }
    if let known = lastComplete, known.tag.utf8.starts(with: archive.state.utf8) {
      // That one is of the same state.
      lastComplete?.ended = now
    } else {
      lastComplete = Complete(ended: now, tag: tag, databases: archive.databases)
    }
  }
}

extension Duration {
  package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
