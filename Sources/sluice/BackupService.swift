import Backup
import EventLoop
import HTTP1
import Logging

/// What the service knows of its backups: how many run, and how the last one ended.
@Loop final class BackupService {
  let options: ArchiveOptions
  let maximumBackups: Int
  let logger: Logger
  private(set) var runningBackups = 0
  private var lastBackup: (finished: ContinuousClock.Instant, outcome: Outcome, byteCount: UInt64)?
  private let started = ContinuousClock.now
  private let probe: DataDirectoryProbe

  /// - Throws: `SystemError` when there is no thread for the probe.
  init(_ options: ArchiveOptions, maximumBackups: Int, _ logger: Logger) throws {
    self.options = options
    self.maximumBackups = maximumBackups
    self.logger = logger
    probe = try DataDirectoryProbe(options)
  }

  /// Counts a backup in.
  ///
  /// - Throws: 503 when as many run as may.
  func beginBackup() throws(HTTPError) {
    guard runningBackups < maximumBackups else {
      throw HTTPError(
        .serviceUnavailable,
        "\(runningBackups) backups are running, as many as may at once. Ask again in a little while.",
        fields: [FieldLine(name: "Retry-After", value: "10")])
    }
    runningBackups += 1
  }

  /// Counts a backup out.
  func endBackup() { runningBackups -= 1 }

  /// How a backup ended.
  enum Outcome: String {
    case complete
    /// Whole, but something was skipped.
    case incomplete
    case failed
  }

  /// Keeps how a backup ended, for `/healthz`.
  func record(_ outcome: Outcome, byteCount: UInt64) {
    lastBackup = (.now, outcome, byteCount)
  }

  /// `GET /healthz`: whether a backup could be made now.
  func health(_ response: Response) async throws {
    var problem: String?
    do { try await probe.check() } catch { problem = "\(error)" }
    var members: [(name: String, value: JSONValue)] = [
      ("status", .string(problem == nil ? "ok" : "failing")),
      ("version", .string(version)),
      ("uptime_seconds", .integer(Self.seconds(since: started))),
      ("running_backups", .integer(runningBackups)),
      ("last_backup", .null),
    ]
    if let lastBackup {
      members[4].value = .object([
        ("outcome", .string(lastBackup.outcome.rawValue)),
        ("bytes", .integer(Int(lastBackup.byteCount))),
        ("seconds_ago", .integer(Self.seconds(since: lastBackup.finished))),
      ])
    }
    if let problem { members.append(("detail", .string(problem))) }
    try await response.send(
      problem == nil ? .ok : .serviceUnavailable, "application/json",
      JSONValue.object(members).encoded() + [UInt8(ascii: "\n")])
  }

  private static func seconds(since instant: ContinuousClock.Instant) -> Int {
    Int((ContinuousClock.now - instant).components.seconds)
  }
}

/// Looks at the data directory, on a thread of its own: a file system that hangs must not hang the loop.
private actor DataDirectoryProbe {
  private nonisolated let worker: WorkerThread
  private let options: ArchiveOptions

  init(_ options: ArchiveOptions) throws(SystemError) {
    worker = try WorkerThread(named: "probe")
    self.options = options
  }

  deinit { worker.stop() }

  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe worker.asUnownedSerialExecutor() }

  func check() throws(BackupError) { try options.checkDataDirectory() }
}
