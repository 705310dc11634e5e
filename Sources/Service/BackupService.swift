package import Archive
package import EventLoop
package import HTTP1
package import Logging
import System

/// What the service knows of itself: what runs, how the last backup ended, and who may ask.
@Loop package final class BackupService {
  /// How long an answer of a session's own may take beyond the age that its snapshots may reach.
  private static let stuckGrace = Duration.seconds(30)

  package let options: ArchiveOptions
  package let resources: ArchiveResources
  package let logger: Logger
  /// What opens the backup; nil if it is open to all who reach it.
  package var tokens: Tokens?
  package let metrics: Metrics
  /// Announced when a backup begins or ends.
  package let changed = Condition()
  /// Whether running backups are being finished, and no other will be begun.
  package var isStopping = false

  /// How long a client that was lost may come back.
  package let resumeGrace: Duration
  /// By how many bytes a WAL may grow meanwhile: a checkpoint that waits for no reader (`PASSIVE`) leaves no other trace.
  package let resumeWALGrowth: UInt64
  /// Every archive that is being sent or could be sent on, the oldest first.
  package var transfers: [Transfer] = []
  /// Names of archives that are gone, by their hash, the oldest first.
  package var usedNames: [Int] = []
  /// How many are being let go.
  package var letGoCount = 0

  private let maximumBackups: Int
  private var running: [ObjectIdentifier: RunningBackup] = [:]
  /// What keeps `metrics.state`; nil if nothing does.
  private var stateFile: StateFile?
  private let started = ContinuousClock.now
  private let tokenFiles: FileAccess
  private let directory: DirectoryCheck

  /// - Throws: `SystemError` when there are no threads for looking at files.
  package init(
    _ options: ArchiveOptions, _ resources: ArchiveResources, maximumBackups: Int, resumeGrace: Duration,
    resumeWALGrowth: UInt64,
    _ tokens: Tokens?, _ logger: Logger
  ) throws {
    self.options = options
    self.resources = resources
    self.maximumBackups = maximumBackups
    self.resumeGrace = resumeGrace
    self.resumeWALGrowth = resumeWALGrowth
    self.tokens = tokens
    self.logger = logger
    tokenFiles = try FileAccess(named: "tokens")
    metrics = Metrics(of: options.dataDirectory)
    directory = DirectoryCheck(options, try FileAccess(named: "directory"))
  }

  /// How a backup ended.
  package enum Outcome: String, Codable {
    case complete
    /// Whole, but something was skipped.
    case incomplete
    /// The client asked for some ranges of it, and never for all.
    case ranges
    case failed
  }

  package var runningBackups: [RunningBackup] { Array(running.values) }

  /// Begins a backup.
  ///
  /// - Throws: 503 when as many run as may.
  package func begin(_ request: RequestHead, _ response: Response) throws(HTTPError) -> RunningBackup {
    let backup = RunningBackup(request, from: response.peer, logger)
    try enter(backup)
    return backup
  }

  /// Counts a backup among those that run, in the place of one whose client was lost if there is no other.
  ///
  /// - Parameter resumed: the archive that it goes on with, which has a place already unless it is whole.
  /// - Throws: 503 when as many run as may.
  package func enter(_ backup: RunningBackup, of resumed: Transfer? = nil) throws(HTTPError) {
    let others = kept.filter { $0 !== resumed }
    if running.count + others.count >= maximumBackups, let oldest = others.first { forget(oldest) }
    if running.count >= maximumBackups { endOldest() }
    guard running.count < maximumBackups else {
      metrics.state.counts.rejected["too-many-backups", default: 0] += 1
      throw HTTPError(
        .serviceUnavailable,
        "\(running.count) backups are running, as many as may at once. Ask again in a little while.",
        fields: [FieldLine(name: "Retry-After", value: "10")])
    }
    running[ObjectIdentifier(backup)] = backup
    changed.notify()
  }

  /// Breaks off the oldest backup whose place has the age that its snapshots may reach. A slow client with little content
  /// holds no snapshot for that long, and would hold the place for ever.
  private func endOldest() {
    let now = ContinuousClock.now
    let old = running.values.filter { now - $0.begun > options.maximumSnapshotAge }
    guard let oldest = old.min(by: { $0.begun < $1.begun }),
      let transfer = transfers.first(where: { $0.backup === oldest })
    else { return }
    transfer.loss = PlaceTooOld(limit: options.maximumSnapshotAge)
    transfer.breakOff()
    leave(oldest)
  }

  /// Counts it no longer among them.
  package func leave(_ backup: RunningBackup) {
    running[ObjectIdentifier(backup)] = nil
    changed.notify()
  }

  /// Counts a backup as started, once.
  package func countStart(_ backup: RunningBackup) {
    if !backup.isCounted, !backup.isForHead { metrics.state.counts.started += 1 }
    backup.isCounted = true
  }

  /// Counts a backup out, and tells the log and the metrics how it ended.
  package func end(_ backup: RunningBackup, _ outcome: Outcome, _ error: (any Error)? = nil) {
    defer { leave(backup) }
    let failure = error.map { BackupFailure($0, isStopping: isStopping) }
    backup.logEnd(outcome, failure)
    countLeftLogs(backup)
    if let failure, failure.isOfRequest {
      metrics.state.counts.rejected[failure.reason, default: 0] += 1
    } else if !backup.isForHead {
      countStart(backup)
      metrics.count(backup, outcome, failure)
      saveState()
    }
  }

  private func countLeftLogs(_ backup: RunningBackup) {
    backup.logLeftLogs()
    metrics.state.counts.leftLogs += backup.leftLogs.count
  }

  /// Counts a backup out of which the client needed nothing.
  package func endUnchanged(_ backup: RunningBackup) {
    countLeftLogs(backup)
    leave(backup)
    metrics.state.counts.unchanged += 1
    backup.logUnchanged()
  }

  /// Counts that a client has an archive of the present state, by its tag: that is as good as to send it once more. But a
  /// client may have the tag of an archive without its last byte.
  package func countCurrent(_ backup: RunningBackup, _ preamble: BackupSession.Preamble, _ tag: EntityTag) {
    guard !backup.isForHead, !backup.isSelection, preamble.skipped.isEmpty,
      !transfers.contains(where: { $0.preamble.tag == tag && !$0.isCountedOut })
    else { return }
    metrics.countCurrent(preamble, tag.opaque)
    saveState()
  }

  // MARK: what outlives the process

  /// Goes on from what an earlier process knew, and keeps it from now on.
  package func keepState(in file: StateFile) async {
    metrics.state = await file.read(of: options.dataDirectory)
    stateFile = file
  }

  private func saveState() { stateFile?.write(metrics.state) }

  /// Writes what has been counted since the last backup, too.
  package func saveStateAtEnd(within timeout: Duration) async {
    saveState()
    await stateFile?.flush(within: timeout)
  }

  /// Whether a session has been at one thing for longer than any may take: a file system that hangs, for one.
  package var isStuck: Bool {
    let limit = options.maximumSnapshotAge + Self.stuckGrace
    return running.values.contains { backup in
      backup.isAskedSince.map { ContinuousClock.now - $0 > limit } ?? false
    }
  }

  /// Reads tokens again.
  ///
  /// - Throws: a `Failure`; the tokens stay what they were then.
  package func reload(_ source: TokenSource) async throws {
    let read = try await tokenFiles.tokens(source)
    guard read != nil || tokens == nil else {
      throw Failure(description: "there is no token any more, and the service was not started without one")
    }
    tokens = read
  }

  /// For `systemctl status`: what is being done, and how the last backup ended.
  package var status: String {
    var parts: [String] = []
    switch running.count {
    case 0: break
    case 1: parts.append("1 backup running")
    default: parts.append("\(running.count) backups running")
    }
    if !running.isEmpty {
      parts[0] += ", \(running.values.reduce(0) { $0 + $1.byteCount } >> 20) MiB sent"
    }
    if isStopping { parts.append("stopping") }
    if let last = metrics.state.lastBackup {
      parts.append("last backup \(last.outcome.rawValue), \(last.bytes) bytes")
    } else if parts.isEmpty {
      parts.append("no backup yet")
    }
    return parts.joined(separator: "; ")
  }

  /// `GET /healthz`: whether a backup could be made now, and would have a database in it.
  package func health(_ response: Response) async throws {
    let problem = await directory.problem()
    var members: [(name: String, value: JSONValue)] = [
      ("status", .string(problem?.status ?? "ok")),
      ("version", .string(version)),
      ("uptime_seconds", .integer(Self.seconds(since: started))),
      ("running_backups", .integer(running.count)),
      ("last_backup", metrics.state.lastBackup?.json ?? .null),
      ("last_complete", metrics.state.lastComplete?.json ?? .null),
    ]
    if let problem { members.append(("detail", .string(problem.detail))) }
    try await response.send(
      problem == nil ? .ok : .serviceUnavailable, "application/json",
      JSONValue.object(members).encoded() + [UInt8(ascii: "\n")])
  }

  private static func seconds(since instant: ContinuousClock.Instant) -> Int {
    Int((ContinuousClock.now - instant).components.seconds)
  }
}
