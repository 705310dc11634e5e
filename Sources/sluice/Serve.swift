import ArgumentParser
import EventLoop
import Glibc
import HTTP1
import Logging
import Systemd

/// `sluice serve`: backups over HTTP.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Serve backups over HTTP.",
    discussion: """
      GET /api/backup   the zip; ?db=NAME (repeatable), ?compression=store|fast|default|best, ?strict=1
      GET /healthz      200 or 503, with JSON

      EXAMPLES
        sluice serve --data /var/lib/app
        sluice serve --data /var/lib/app --listen 127.0.0.1:9000 --listen unix:/run/app-backup.sock
        curl -OJ 'http://127.0.0.1:8080/api/backup?db=events.db&compression=best'

      SIGTERM and SIGINT let running backups finish for the drain timeout; a second one leaves at once.
      """)

  @OptionGroup var archive: ArchiveArguments

  @Option(
    help: ArgumentHelp(
      "An address to listen on: HOST:PORT, [IPV6]:PORT or unix:PATH; may be repeated. "
        + "(default: 127.0.0.1:8080, or the sockets that systemd passes)",
      valueName: "address"))
  var listen: [String] = []

  @Option(help: ArgumentHelp("How many backups may run at once; further ones get 503.", valueName: "count"))
  var maxBackups = 4

  @Option(help: ArgumentHelp("How long a client may take nothing before it is cut off.", valueName: "time"))
  var stallTimeout = TimeSpan.seconds(60)

  @Option(help: ArgumentHelp("How long running backups may go on after SIGTERM.", valueName: "time"))
  var drainTimeout = TimeSpan.seconds(30)

  @Option(
    help: ArgumentHelp(
      "A file of bearer tokens, one a line, of which a request for a backup must show one. "
        + "(default: the credential 'token' that systemd passes, if any)",
      valueName: "file"))
  var tokenFile: String?

  @Flag(help: "Listen beyond this machine without any token.")
  var allowUnauthenticated = false

  func validate() throws {
    guard (1...1000).contains(maxBackups) else {
      throw ValidationError("--max-backups \(maxBackups): give a number from 1 to 1000")
    }
    guard stallTimeout.value > .zero else {
      throw ValidationError("--stall-timeout: give a time above 0, such as 60s")
    }
    for text in listen {
      guard SocketAddress(text) != nil else {
        throw ValidationError(
          "--listen \(text): give ADDRESS:PORT, [IPV6]:PORT or unix:PATH, such as 127.0.0.1:8080")
      }
    }
  }

  func run() throws {
    Signals.block([SIGTERM, SIGINT])
    raiseDescriptorLimit()
    let options = try archive.options()
    let tokens = try readTokens()
    let logger = Logger(label: "sluice") { StreamLogHandler.standardError(label: $0) }
    try Loop.run {
      let service = try BackupService(options, maximumBackups: maxBackups, logger)
      let server = Server(
        Routes(service: service, tokens: tokens), ConnectionLimits(stallTimeout: stallTimeout.value))
      let listeners = try openListeners(isOpen: tokens == nil && !allowUnauthenticated)
      for listener in listeners { server.serve(listener) }
      let places = listeners.map { Self.url($0.address) }.joined(separator: ", ")
      put("sluice \(version) serves backups of \(archive.data) on \(places)\n", STDOUT_FILENO)
      Notify.ready(status: "Listening on \(places)")

      let signals = try Signals([SIGTERM, SIGINT])
      let first = try await signals.next()
      logger.info(
        "stopping", metadata: ["signal": "\(first)", "running_backups": "\(service.runningBackups)"])
      Notify.stopping(status: "Finishing \(service.runningBackups) backups")
      Loop.start {
        let signals = try Signals([SIGTERM, SIGINT])
        _ = try await signals.next()
        _exit(1)
      }
      await server.drain(timeout: drainTimeout.value)
      for listener in listeners { listener.removePath() }
    }
  }

  /// The tokens of `--token-file`, else those of the credential; see `LoadCredential=` in systemd.exec(5).
  private func readTokens() throws -> Tokens? {
    if let tokenFile { return try Tokens(file: tokenFile) }
    guard let folder = unsafe getenv("CREDENTIALS_DIRECTORY") else { return nil }
    let credential = unsafe String(cString: folder) + "/token"
    return unsafe access(credential, F_OK) == 0 ? try Tokens(file: credential) : nil
  }

  /// The sockets that systemd passes, or our own.
  ///
  /// - Parameter isOpen: whether whoever reaches them gets everything.
  @Loop private func openListeners(isOpen: Bool) throws -> [Listener] {
    let passed: [PassedSocket]
    do { passed = try listenFDs() } catch { throw Failure(description: error.description) }
    if !passed.isEmpty {
      return try passed.map { socket throws(Failure) in
        let what = "the socket \(socket.name) that systemd passed"
        let listener: Listener
        do { listener = try Listener.adopt(socket.descriptor) } catch {
          throw Failure(
            description: "\(what) cannot be served: \(error); it needs ListenStream= and Accept=no")
        }
        if isOpen { try Self.checkIsLocal(listener.address, what) }
        return listener
      }
    }
    return try (listen.isEmpty ? ["127.0.0.1:8080"] : listen).map { text throws(Failure) in
      guard let address = SocketAddress(text) else { throw Failure(description: "--listen \(text)") }
      if isOpen { try Self.checkIsLocal(address, "--listen \(text)") }
      do { return try Listener.bind(address) } catch {
        throw Failure(description: "--listen \(text): \(error)")
      }
    }
  }

  /// A backup is all that an application knows: it is not for everyone on a network.
  private static func checkIsLocal(_ address: SocketAddress, _ what: String) throws(Failure) {
    guard !address.isLocal else { return }
    throw Failure(
      description: "\(what): \(address) can be reached from other machines; give --token-file, or listen on "
        + "127.0.0.1 or a Unix socket and put nginx before it")
  }

  private static func url(_ address: SocketAddress) -> String {
    if case .unix = address { return "\(address)" }
    return "http://\(address)"
  }
}
