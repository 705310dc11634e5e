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

  static let defaultMaximumBackups = 4

  @OptionGroup var archive: ArchiveArguments

  @Option(
    help: ArgumentHelp(
      "An address to listen on: HOST:PORT, [IPV6]:PORT, http://HOST:PORT or unix:PATH; may be repeated. "
        + "(default: 127.0.0.1:8080, or the sockets that systemd passes)",
      valueName: "address"))
  var listen: [String] = []

  @Option(
    help: ArgumentHelp("How many backups may run at once; further requests get 503.", valueName: "count"))
  var maxBackups = Self.defaultMaximumBackups

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

  @Option(
    help: ArgumentHelp(
      "Of how many archives of each request the digests are kept in the state directory, so that a client which has one of "
        + "them can download what changed (A-IM: vcdiff, with compression=store). 0 keeps none.",
      valueName: "count"))
  var deltaHistory = 2

  @Option(
    help: ArgumentHelp("What these digests may take together: 4.3 MB for each GB of data.", valueName: "size")
  )
  var deltaBudget = ByteCount.mebibytes(1024)

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
    guard (0...100).contains(deltaHistory) else {
      throw ValidationError("--delta-history \(deltaHistory): give a number from 0 to 100")
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

  func run() throws {
    Signals.block([SIGTERM, SIGINT, SIGHUP])
    signal(SIGPIPE, SIG_IGN)
    // Past a limit on the size of files, a write fails as on a full disk.
    signal(SIGXFSZ, SIG_IGN)
    // Before there is a second thread. An application that commits goes before whatever makes a backup.
    SystemCalls.interruptNoThread()
    let descriptorLimit = raiseDescriptorLimit()
    let sockets: ServiceSockets
    do { sockets = try ServiceSockets(listen: listen) } catch { throw error.failure }
    guard idleExit == nil || !sockets.passed.isEmpty else {
      throw Failure(
        description: "--idle-exit needs systemd's sockets, which start the service again: systemd passed none"
      )
    }
    let settings: Settings
    do { settings = try readSettings(descriptorLimit) } catch {
      sockets.refuseAll()
      throw error
    }
    try Loop.run { try await serve(on: sockets, settings) }
  }

  @Loop private func serve(on sockets: ServiceSockets, _ settings: Settings) async throws {
    let output = try LogOutput()
    let logger = Logger(label: "sluice") { _ in LineLogHandler(output) }
    let service = try await service(settings, logger)
    let server = server(service, settings)
    // Before any client or systemd sees that it runs: what cannot be ended in order must not begin.
    let (ends, reloads) = (try Signals([SIGTERM, SIGINT]), try Signals([SIGHUP]))
    let listeners = try await listen(
      on: sockets, isOpen: settings.tokens == nil && !allowUnauthenticated, server)
    announce(listeners, settings, logger)
    let supervision = Supervision(service)
    supervision.start()
    supervision.reload(settings.tokenSource, on: reloads)
    let reason = try await ending(server, service, ends)
    await stop(server, service, reason)
    for listener in listeners { listener.removePath() }
    await output.flush()
  }
}
