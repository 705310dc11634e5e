/// What is counted of a backup that has ended.
package struct EndedBackup {
  /// Of the archive, once its snapshots were held.
  package struct Archive {
    package var state: String
    /// The opaque entity tag.
    package var tag: String
    /// By their paths.
    package var databases: [String]
    /// How much was skipped.
    package var skipped: Int
    package var skewMilliseconds: Double
    /// In bytes, if a delta was sent in its place.
    package var size: UInt64?
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
    history = history.suffix(Self.maximumHistory - 1) + [PastBackup(backup, at: now)]
    guard let archive = backup.archive else { return }
    if backup.outcome == .complete || backup.outcome == .incomplete {
      noteDatabases(archive, isWhole: !backup.isSelection && backup.outcome == .complete, at: now)
    }
    guard !backup.isSelection else { return }
    switch backup.outcome {
    case .complete:
      unfinishedTags.removeAll { $0 == archive.tag }
      lastComplete = Complete(
        ended: now, tag: archive.tag, databases: archive.databases.count,
        bytes: archive.size ?? backup.bytesSent,
        skewMilliseconds: archive.skewMilliseconds)
    case .incomplete: unfinishedTags.removeAll { $0 == archive.tag }
    case .ranges, .failed: addUnfinished(archive.tag)
    }
  }

  /// Notes that a client has got the tag of an archive of the whole directory, and does not have that archive yet.
  package mutating func addUnfinished(_ tag: String) {
    let others = unfinishedTags.filter { $0 != tag }
    unfinishedTags = others.suffix(Self.maximumUnfinishedTags - 1) + [tag]
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
      lastComplete = Complete(ended: now, tag: tag, databases: archive.databases.count)
    }
    noteDatabases(archive, isWhole: true, at: now)
  }

  /// Notes which databases a client has.
  ///
  /// - Parameter isWhole: whether the directory has no others: what is known of those that are gone is forgotten.
  private mutating func noteDatabases(_ archive: EndedBackup.Archive, isWhole: Bool, at now: Int) {
    if isWhole { databaseTimes.removeAll(keepingCapacity: true) }
    for path in archive.databases { databaseTimes[path] = now }
    // A directory that loses databases and is never backed up whole.
    if databaseTimes.count > Self.maximumDatabases
      || databaseTimes.keys.reduce(0, { $0 + $1.utf8.count }) > Self.maximumPathBytes
    {
      databaseTimes.removeAll()
    }
  }
}

extension ServiceState.PastBackup {
  fileprivate init(_ backup: EndedBackup, at now: Int) {
    self.init(
      outcome: backup.outcome, reason: backup.reason, isSelection: backup.isSelection, ended: now,
      bytes: backup.bytesSent, milliseconds: Int(backup.duration.inSeconds * 1000),
      databases: backup.archive?.databases.count, skipped: backup.archive?.skipped,
      skewMilliseconds: backup.archive?.skewMilliseconds)
  }
}

extension Duration {
  package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
