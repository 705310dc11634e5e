import ArgumentParser
import Backup
import EventLoop
import Glibc

/// `sluice health`: asks a running service how it is.
struct Health: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask a running service how it is.",
    discussion: """
      Prints one line: what /healthz answers, or why there is no answer.

      EXAMPLES
        sluice health
        sluice health http://127.0.0.1:9000
        sluice health unix:/run/sluice/sluice.sock

      EXIT STATUS
        0 it can make backups; 1 it cannot, or does not answer; 64 the command line is wrong.
      """)

  /// More than any answer of ours has.
  private static let maximumAnswerSize = 64 * 1024

  @Argument(help: "Where it listens: http://ADDRESS:PORT or unix:PATH.")
  var address = "http://127.0.0.1:8080"

  @Option(help: ArgumentHelp("How long to wait for the answer.", valueName: "time"))
  var timeout = TimeSpan.seconds(5)

  func validate() throws {
    guard socketAddress != nil else {
      throw ValidationError(
        "\(address): give http://ADDRESS:PORT or unix:PATH, such as http://127.0.0.1:8080")
    }
  }

  private var socketAddress: SocketAddress? {
    if address.hasPrefix("unix:") { return SocketAddress(address) }
    guard address.hasPrefix("http://") else { return nil }
    let authority = address.dropFirst(7).prefix { $0 != "/" }
    return SocketAddress(authority.contains(":") ? String(authority) : "\(authority):80")
  }

  func run() throws {
    guard let socketAddress else { return }
    let answer: [UInt8]
    do {
      answer = try Loop.run { try await Self.ask(socketAddress, until: .now + timeout.value) }
    } catch {
      throw Failure(description: "\(address) does not answer: \(error)")
    }
    // RFC 9112 §4: HTTP-version SP status-code SP; the content follows the empty line.
    let text = String(decoding: answer, as: UTF8.self)
    guard text.hasPrefix("HTTP/1.1 "), let end = text.firstRange(of: "\r\n\r\n") else {
      throw Failure(description: "\(address) answers, but it is no sluice")
    }
    let content = text[end.upperBound...].split(separator: "\n").first ?? ""
    guard text.dropFirst(9).hasPrefix("200 ") else { throw Failure(description: printable(String(content))) }
    put(printable(String(content)) + "\n", STDOUT_FILENO)
  }

  /// Asks once, and answers all that comes until the connection ends.
  @Loop private static func ask(
    _ address: SocketAddress, until deadline: ContinuousClock.Instant
  ) async throws(SystemError) -> [UInt8] {
    let socket = try await Socket.connect(to: address, until: deadline)
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    try await socket.send([Array(request.utf8)], stallTimeout: ContinuousClock.now.duration(to: deadline))
    var answer: [UInt8] = []
    while answer.count < maximumAnswerSize {
      let bytes = try await socket.receive(until: deadline)
      guard !bytes.isEmpty else { break }
      try socket.consume(bytes.count)
      answer += bytes
    }
    return answer
  }
}
