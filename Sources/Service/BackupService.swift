package import Archive
package import EventLoop
package import Logging
import System

/// The parts of a service, and what it says of itself.
@Loop package final class BackupService {
  /// How long an answer of a session's own may take beyond the age that its snapshots may reach.
  private static let stuckGrace = Duration.seconds(30)

  package let logger: Logger
  /// What opens the backup; nil if it is open to every client that reaches it.
  package private(set) var tokens: Tokens?
  package let ledger: Ledger
  package let registry: TransferRegistry
  package let backups: BackupEndpoint

  /// What the page shows of the data directory.
  package let overview: OverviewCache
  /// The application's name.
  let name: String
  let advice: Advice
  let started = ContinuousClock.now
  private let maximumSnapshotAge: Duration
  private let tokenFiles: FileAccess
  private let directory: DirectoryCheck

  /// - Parameter advice: by reasons of a failed backup, and `no-database`.
  /// - Throws: `SystemError` when there are no threads for looking at files.
  package init(
    _ options: ArchiveOptions, _ resources: ArchiveResources, _ limits: TransferRegistry.Limits,
    _ tokens: Tokens?, _ logger: Logger, _ advice: Advice
  ) throws {
    maximumSnapshotAge = options.maximumSnapshotAge
    name = options.name
    self.tokens = tokens
    self.logger = logger
    self.advice = advice
    tokenFiles = try FileAccess(named: "tokens")
    directory = DirectoryCheck(options, try FileAccess(named: "directory"))
    overview = OverviewCache(options, try FileAccess(named: "overview"), advice)
    ledger = Ledger(of: options.dataDirectory)
    registry = TransferRegistry(limits, ledger)
    backups = BackupEndpoint(options, resources, registry, ledger, logger, advice)
  }

  /// Whether a session has been at one thing for longer than any may take: a file system that hangs, for one.
  package var isStuck: Bool {
    let limit = maximumSnapshotAge + Self.stuckGrace
    return registry.running.contains { record in
      record.sessionBusySince.map { ContinuousClock.now - $0 > limit } ?? false
    }
  }

  /// Reads tokens again.
  ///
  /// - Throws: a `TokenError`; the tokens stay what they were then.
  package func reload(_ source: TokenSource) async throws {
    let read = try await tokenFiles.tokens(source)
    guard read != nil || tokens == nil else { throw TokenError.noneAnyMore }
    tokens = read
  }

  /// For `systemctl status`: what is being done, and how the last backup ended.
  package var status: String {
    let running = registry.running
    var parts: [String] = []
    if !running.isEmpty {
      let sent = running.reduce(0) { $0 + $1.delivery.byteCount }
      parts.append("\(counted(running.count, "backup")) running, \(sent >> 20) MiB sent")
    }
    if registry.isStopping { parts.append("stopping") }
    if let last = ledger.state.lastBackup {
      parts.append("last backup \(last.outcome.rawValue), \(counted(last.bytes, "byte"))")
    } else if parts.isEmpty {
      parts.append("no backup yet")
    }
    return parts.joined(separator: "; ")
  }

  /// What hinders a backup now; nil if nothing does.
  func directoryProblem() async -> DirectoryCheck.Problem? { await directory.result().problem }

  /// The same, and how much room the data directory has.
  func directoryCheck() async -> (problem: DirectoryCheck.Problem?, space: FileSystemSpace?) {
    await directory.result()
  }

  package func health() async -> HealthReport {
    let problem = await directoryProblem()
    return HealthReport(
      version: version, state: ledger.state, problem: problem, uptime: ContinuousClock.now - started,
      running: registry.running.count, advice: advice)
  }
}
