import Archive
import ArgumentParser
import EventLoop
import Glibc
import HTTP1
import Logging
import Restore
import Service
import System
import Systemd

/// `sluice serve`: backups over HTTP.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Serve backups over HTTP.",
    discussion: """
      GET /api/backup sends the zip. Its query has db=PATH (repeatable), compression=store|fast|default|best, \
      strict=1 and resume=NAME. GET /healthz answers 200 or 503, with JSON. GET /metrics has the counters for \
      Prometheus. The manual page sluice(1) has every field and status.

      SIGTERM and SIGINT let running backups finish within --drain-timeout; a second signal ends the process at \
      once. SIGHUP reads the tokens again.

      EXAMPLES
        # At http://127.0.0.1:8080/api/backup.
        sluice serve --data /var/lib/app

        # At another port and at a Unix socket, with a token.
        sluice serve --data /var/lib/app --token-file token \\
          --listen 127.0.0.1:9000 --listen unix:/run/app.sock

        # Fetch one of its databases.
        curl -fo events.new \\
          'http://127.0.0.1:8080/api/backup?db=events.db' &&
          sluice verify events.new && mv events.new events.zip

      EXIT STATUS
        0   ended by a signal, or idle (--idle-exit)
        1   failed; one line says why
        64  the command line is wrong
      """)

  @OptionGroup var archive: ArchiveArguments

  @Option(
    help: ArgumentHelp(
      "An address to listen on: HOST:PORT, [IPV6]:PORT, http://HOST:PORT or unix:PATH; may be repeated. "
        + "(default: 127.0.0.1:8080, or the sockets that systemd passes)",
      valueName: "address"))
  var listen: [String] = []

  @Option(
    help: ArgumentHelp("How many backups may run at once; further requests get 503.", valueName: "count"))
  var maxBackups = 4

  @Option(
    help: ArgumentHelp(
      "How long the client's kernel may confirm no byte before the connection is reset.",
      valueName: "time"))
  var stallTimeout = TimeSpan.seconds(60)

  @Option(
    help: ArgumentHelp(
      "How long the backup of a lost client is kept with its snapshots, so that the client can resume it. "
        + "0s releases them at once.", valueName: "time"))
  var resumeGrace = TimeSpan.seconds(120)

  @Option(
    help: ArgumentHelp(
      "How far the WALs may grow together while the backup of a lost client is kept; then it is discarded.",
      valueName: "size"))
  var resumeWalGrowth = ByteCount.mebibytes(16)

  @Option(help: ArgumentHelp("How long running backups may continue after SIGTERM.", valueName: "time"))
  var drainTimeout = TimeSpan.seconds(30)

  @Option(
    help: ArgumentHelp(
      "Exit if no connection was open for so long; systemd's socket starts the service again. (default: "
        + "never)", valueName: "time"))
  var idleExit: TimeSpan?

  @Option(
    help: ArgumentHelp(
      "File with tokens, one per line. A backup request must present one of them, as Authorization: Bearer TOKEN or "
        + "as the password of Authorization: Basic. "
        + "(default: the credential 'token' that systemd passes, if any)",
      valueName: "file"), completion: .file())
  var tokenFile: String?

  @Option(
    help: ArgumentHelp(
      "Directory for a small file that keeps the counters and the time of the last complete backup across "
        + "restarts. (default: the StateDirectory= that systemd passes, else none)", valueName: "dir"),
    completion: .directory)
  var stateDirectory: String?

  @Flag(help: "Listen on addresses that other machines can reach, without a token; see --allow-host.")
  var allowUnauthenticated = false

  @Option(
    help: ArgumentHelp(
      "A Host that is answered over TCP without a token, beside localhost, 127.0.0.0/8 and [::1]; may be "
        + "repeated. Otherwise a web page could reach the service under its own name (DNS rebinding).",
      valueName: "name"))
  var allowHost: [String] = []

  func validate() throws {
    guard (1...1000).contains(maxBackups) else {
      throw ValidationError("--max-backups \(maxBackups): give a number from 1 to 1000")
    }
    guard stallTimeout.value > .zero else {
      throw ValidationError("--stall-timeout: give a time above 0, such as 60s")
    }
    if let idleExit, idleExit.value <= .zero {
      throw ValidationError("--idle-exit: give a time above 0, such as 30s")
    }
    for host in allowHost where !AllowedHosts.isHost(host) {
      throw ValidationError(
        "--allow-host \(host): give a name or an address without a port, such as backup.example.org or [::1]")
    }
    for text in listen {
      guard SocketAddress(service: text) != nil else {
        throw ValidationError(
          "--listen \(text): give ADDRESS:PORT, [IPV6]:PORT or unix:PATH, such as 127.0.0.1:8080")
      }
    }
  }

  /// A dozen are taken before the first connection, and half of the others are for the files of backups.
  private static let fewestDescriptors = 64

  func run() throws {
    Signals.block([SIGTERM, SIGINT, SIGHUP])
    signal(SIGPIPE, SIG_IGN)
    let descriptorLimit = raiseDescriptorLimit()
    let sockets: ServiceSockets
    do { sockets = try ServiceSockets(listen: listen) } catch { throw error.failure }
    guard idleExit == nil || !sockets.passed.isEmpty else {
      throw Failure(
        description: "--idle-exit needs systemd's sockets, which start the service again: systemd passed none"
      )
    }
    let source = TokenSource(file: tokenFile)
    let options: ArchiveOptions
    let resources: ArchiveResources
    let tokens: Tokens?
    do {
      try check(descriptorLimit)
      options = try archive.options()
      resources = try archive.resources()
      tokens = try source.read()
      try checkStateDirectory()
    } catch {
      sockets.refuseAll()
      throw error
    }
    // If the directory cannot be read, the backup reports it.
    let hasDatabase = (try? options.findsDatabase()) ?? true
    try Loop.run { [descriptorLimit] in
      let output = try LogOutput()
      let logger = Logger(label: "sluice") { _ in LineLogHandler(output) }
      let service = try await service(options, resources, tokens, logger)
      let server = server(service, descriptorLimit)
      // Before any client or systemd sees that it runs: what cannot be ended in order must not begin.
      let (ends, reloads) = (try Signals([SIGTERM, SIGINT]), try Signals([SIGHUP]))
      let listeners = try await listen(on: sockets, isOpen: tokens == nil && !allowUnauthenticated, server)
      announce(listeners, options, hasDatabase: hasDatabase, logger)
      let supervision = Supervision(service)
      supervision.start()
      supervision.reload(source, on: reloads)
      let reason = try await ending(server, service, ends)
      await stop(server, service, reason)
      for listener in listeners { listener.removePath() }
      await output.flush()
    }
  }

  private func check(_ descriptorLimit: Int) throws(Failure) {
    guard descriptorLimit >= Self.fewestDescriptors else {
      throw Failure(
        description: "this process may have \(descriptorLimit) files open, and serving takes "
          + "\(Self.fewestDescriptors): raise the limit (LimitNOFILE= in a unit, ulimit -n in a shell)")
    }
  }

  private func checkStateDirectory() throws(Failure) {
    guard let stateDirectory, unsafe access(stateDirectory, W_OK | X_OK) != 0 else { return }
    throw Failure(
      description: "--state-directory \(stateDirectory): \(SystemError(call: "access", errno: errno))")
  }

  // MARK: the parts

  @Loop private func service(
    _ options: ArchiveOptions, _ resources: ArchiveResources, _ tokens: Tokens?, _ logger: Logger
  ) async throws -> BackupService {
    let limits = TransferRegistry.Limits(
      slotCount: maxBackups, resumeGrace: resumeGrace.value, resumeWALGrowth: resumeWalGrowth.value,
      slotAge: options.maximumSnapshotAge)
    let service = try BackupService(options, resources, limits, tokens, logger, .options)
    if let directory = stateDirectory ?? Self.passedStateDirectory {
      await service.ledger.keepState(in: try StateFile(in: directory, logger))
    }
    return service
  }

  @Loop private func server(_ service: BackupService, _ descriptorLimit: Int) -> Server<Routes> {
    let limits = ConnectionLimits(
      // The other half is for the files of backups.
      connectionCount: min(ConnectionLimits().connectionCount, descriptorLimit / 2),
      stallTimeout: stallTimeout.value)
    let routes = Routes(service: service, allowedHosts: AllowedHosts(allowHost))
    return Server(routes, limits, service.ledger.connections)
  }

  @Loop private func listen(
    on sockets: ServiceSockets, isOpen: Bool, _ server: Server<Routes>
  ) async throws(Failure) -> [Listener] {
    do throws(SocketFailure) {
      let listeners = try await sockets.listeners(isOpen: isOpen)
      for listener in listeners { server.serve(listener) }
      return listeners
    } catch {
      throw error.failure
    }
  }

  @Loop private func announce(
    _ listeners: [Listener], _ options: ArchiveOptions, hasDatabase: Bool, _ logger: Logger
  ) {
    let places = listeners.map { Self.url($0.address) }.joined(separator: ", ")
    put("sluice \(version) serves backups of \(archive.content.data) on \(places)\n", STDOUT_FILENO)
    if !hasDatabase {
      let detail = Advice.options.added(to: DirectoryCheck.noDatabase, for: "no-database")
      logger.warning(
        "no database to back up", metadata: ["data": "\(options.dataDirectory)", "detail": "\(detail)"])
    }
    Notify.ready(status: "listening on \(places)")
  }

  // MARK: the end

  @Loop private func stop(_ server: Server<Routes>, _ service: BackupService, _ reason: String) async {
    service.registry.stop()
    service.logger.info(
      "stopping",
      metadata: ["reason": "\(reason)", "running_backups": "\(service.registry.running.count)"])
    Notify.stopping(status: service.status, within: drainTimeout.value + Self.stopMargin)
    async let discarded: Void = service.registry.discardAllSuspended(within: Self.stopMargin)
    await server.drain(timeout: drainTimeout.value)
    await discarded
    await service.ledger.saveAtEnd(within: Self.stopMargin)
  }

  /// What the end takes beyond the drain timeout, at the most.
  private static let stopMargin = Duration.seconds(5)

  /// Waits until there is a reason to end, and answers it; the second signal ends the process there and then.
  @Loop private func ending(
    _ server: Server<Routes>, _ service: BackupService, _ signals: Signals
  ) async throws -> String {
    let ended = Condition()
    var reason: String?
    Loop.start {
      let signal = try await signals.next()
      reason = reason ?? "signal \(signal)"
      ended.notify()
      _ = try await signals.next()
      _exit(1)
    }
    if let idleExit {
      Loop.start {
        await server.stopWhenQuiet(for: idleExit.value) { service.registry.lastDeadline }
        reason = reason ?? "idle for \(idleExit.defaultValueDescription)"
        ended.notify()
      }
    }
    while true {
      if let reason { return reason }
      _ = await ended.wait()
    }
  }

  /// systemd.exec(5), `StateDirectory=`: the first of those that the unit has.
  private static var passedStateDirectory: String? {
    guard let value = unsafe getenv("STATE_DIRECTORY") else { return nil }
    let first = unsafe String(cString: value).utf8.split(separator: UInt8(ascii: ":")).first
    return first.map { String(decoding: $0, as: UTF8.self) }
  }

  private static func url(_ address: SocketAddress) -> String {
    if case .unix = address { return "\(address)" }
    return "http://\(address)"
  }
}
