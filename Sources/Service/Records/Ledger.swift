package import Archive
package import EventLoop
import Glibc
package import HTTP1
import System

/// What the log, the metrics and the next process show: how each backup ended, and which requests got none.
@Loop package final class Ledger {
  package private(set) var state: ServiceState
  package let connections = ConnectionCount()
  /// The backups that have begun and are not counted yet.
  private var underWay: [BackupRecord] = []
  /// What keeps `state`; nil if nothing does.
  private var stateFile: StateFile?

  package init(of dataDirectory: String) { state = ServiceState(dataDirectory: dataDirectory) }

  /// Continues from what an earlier process knew, and keeps it from now on.
  package func keepState(in file: StateFile) async {
    state = await file.read(of: state.dataDirectory)
    stateFile = file
  }

  private func save() { stateFile?.write(state) }

  /// Writes what has been counted since the last backup, too.
  package func saveAtEnd(within timeout: Duration) async {
    save()
    await stateFile?.flush(within: timeout)
  }

  /// Counts a request that was refused before a backup was begun for it.
  package func recordRejected(_ reason: String) { state.counts.rejected[reason, default: 0] += 1 }

  /// Counts a client that was lost and has returned.
  package func recordResumed(_ record: BackupRecord) {
    state.counts.resumed += 1
    recordSending(record)
  }

  /// What was sent of archives that are not counted yet, in bytes: each byte is in here or in the counters, once.
  package var bytesUnderWay: UInt64 { underWay.reduce(0) { $0 + $1.delivery.byteCount } }

  /// Notes that an archive begins.
  package func recordBegin(_ record: BackupRecord) {
    underWay.append(record)
    recordSending(record)
  }

  /// Notes that a client gets an archive: if this process is killed, its tag is that of a download that broke. The last bytes may
  /// be sent again once its outcome is known.
  private func recordSending(_ record: BackupRecord) {
    let isOfEverything = !record.isForHead && !record.isSelection
    guard let preamble = record.preamble, isOfEverything, underWay.contains(where: { $0 === record })
    else { return }
    state.addUnfinished(preamble.tag.opaque)
    save()
  }

  /// Counts a backup as started, once.
  package func recordStart(_ record: BackupRecord) {
    if !record.isCounted, !record.isForHead { state.counts.started += 1 }
    record.isCounted = true
  }

  /// Notes how a backup ended.
  package func recordOutcome(_ record: BackupRecord, _ outcome: BackupOutcome, _ failure: BackupFailure?) {
    record.logEnd(outcome, failure)
    underWay.removeAll { $0 === record }
    recordLeftWALs(record)
    if let failure, failure.isOfRequest {
      recordRejected(failure.reason)
    } else if !record.isForHead {
      recordStart(record)
      state.add(
        EndedBackup(
          outcome: outcome, reason: failure?.reason, isSelection: record.isSelection,
          bytesRead: record.bytesRead, bytesSent: record.delivery.byteCount,
          duration: ContinuousClock.now - record.begun, archive: record.preamble.map(EndedBackup.Archive.init)
        ),
        at: Int(time(nil)))
      save()
    }
  }

  /// Notes a backup out of which the client needed nothing.
  package func recordUnchanged(_ record: BackupRecord) {
    recordLeftWALs(record)
    state.counts.unchanged += 1
    record.logUnchanged()
  }

  private func recordLeftWALs(_ record: BackupRecord) {
    record.logLeftWALs()
    state.counts.leftWALs += record.leftWALs.count
  }

  /// Notes that a client has an archive of the present state, by its tag: that is as good as to send it once more.
  package func recordCurrent(_ record: BackupRecord, _ preamble: BackupSession.Preamble, _ tag: EntityTag) {
    guard !record.isForHead, !record.isSelection, preamble.skipped.isEmpty else { return }
    state.addCurrent(EndedBackup.Archive(preamble), tag.opaque, at: Int(time(nil)))
    save()
  }
}

extension EndedBackup.Archive {
  fileprivate init(_ preamble: BackupSession.Preamble) {
    self.init(
      state: preamble.state, tag: preamble.tag.opaque, databases: preamble.databases,
      skipped: preamble.skipped.count, skewMilliseconds: preamble.snapshotSkewMilliseconds,
      size: preamble.delta == nil ? nil : preamble.archiveSize)
  }
}
