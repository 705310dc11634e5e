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

  func validate() throws {
    guard (1...1000).contains(maxBackups) else {
      throw ValidationError("--max-backups \(maxBackups): give a number from 1 to 1000")
    }
    guard stallTimeout.value > .zero else {
      throw ValidationError("--stall-timeout: give a time above 0, such as 60s")
    }
    for text in listen {
      guard let address = SocketAddress(text) else {
        throw ValidationError(
          "--listen \(text): give ADDRESS:PORT, [IPV6]:PORT or unix:PATH, such as 127.0.0.1:8080")
      }
      // There is no token to ask for yet, and a backup is everything an application knows.
      guard address.isLocal else {
        throw ValidationError(
          "--listen \(text): only loopback addresses and Unix sockets; put nginx before it to be reached from afar"
        )
      }
    }
  }

  func run() throws {
    Signals.block([SIGTERM, SIGINT])
    raiseDescriptorLimit()
    let options = try archive.options()
    let logger = Logger(label: "sluice") { StreamLogHandler.standardError(label: $0) }
    try Loop.run {
      let service = try BackupService(options, maximumBackups: maxBackups, logger)
      let server = Server(Routes(service: service), ConnectionLimits(stallTimeout: stallTimeout.value))
      let listeners = try openListeners()
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
    }
  }

  /// The sockets that systemd passes, or our own.
  @Loop private func openListeners() throws -> [Listener] {
    let passed: [PassedSocket]
    do { passed = try listenFDs() } catch { throw Failure(description: error.description) }
    if !passed.isEmpty {
      return try passed.map { socket throws(Failure) in
        do {
          return try Listener.adopt(socket.descriptor)
        } catch {
          throw Failure(
            description: "the socket \(socket.name) that systemd passed cannot be served: \(error); "
              + "it needs ListenStream= and Accept=no")
        }
      }
    }
    return try (listen.isEmpty ? ["127.0.0.1:8080"] : listen).map { text throws(Failure) in
      guard let address = SocketAddress(text) else { throw Failure(description: "--listen \(text)") }
      do {
        return try Listener.bind(address)
      } catch {
        throw Failure(description: "--listen \(text): \(error)")
      }
    }
  }

  private static func url(_ address: SocketAddress) -> String {
    if case .unix = address { return "\(address)" }
    return "http://\(address)"
  }
}
