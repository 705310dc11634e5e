import Archive
import ArgumentParser
import EventLoop
import Glibc
import Restore
import Service
import System

/// `sluice health`: asks a running service how it is.
struct Health: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask a running service for its health.",
    usage: "sluice health [<address>] [<options>]",
    discussion: """
      Prints one line: the answer of /healthz, or why there is none. Without an address it asks at the unit's \
      socket: /run/sluice/sluice.sock, or the only other one in /run/sluice. If there is none, it asks at \
      127.0.0.1:8080.

      EXAMPLES
        sluice health

        sluice health 127.0.0.1:9000

        sluice health unix:/run/sluice/app.sock --timeout 1s

      EXIT STATUS
        0   a backup is possible
        1   it is not, there is no database, or no answer came
        64  the command line is wrong
      """)

  /// More than any answer of ours has.
  private static let maximumAnswerSize = 64 * 1024

  private static let defaultAddress = "127.0.0.1:8080"
  /// Where the socket units of the package listen: `sluice.sock`, and `NAME.sock` for an instance.
  private static let socketDirectory = "/run/sluice"

  @Argument(
    help: ArgumentHelp(
      "Where it listens: HOST:PORT, [IPV6]:PORT, http://HOST:PORT or unix:PATH. "
        + "(default: the unit's socket, or 127.0.0.1:8080)", valueName: "address"))
  var address: String?

  @Option(help: ArgumentHelp("How long to wait for the answer.", valueName: "time"))
  var timeout = TimeSpan.seconds(5)

  func validate() throws {
    guard let address, Self.socketAddress(address) == nil else { return }
    throw ValidationError(
      "\(address): give HOST:PORT, http://HOST:PORT or unix:PATH, such as 127.0.0.1:8080")
  }

  /// The path of a URL, such as /healthz, is ignored.
  private static func socketAddress(_ text: String) -> SocketAddress? {
    let bytes = Array(text.utf8)
    let scheme = Array("http://".utf8)
    guard bytes.starts(with: scheme) else { return SocketAddress(service: text) }
    let authority = bytes.dropFirst(scheme.count).prefix { $0 != UInt8(ascii: "/") }
    return SocketAddress(service: String(decoding: scheme + authority, as: UTF8.self))
  }

  /// - Throws: a `Failure` when several units listen, and none of them is `sluice.socket`.
  private static func unitAddress() throws -> String {
    let sockets = names(in: socketDirectory).filter { $0.utf8.suffix(5).elementsEqual(".sock".utf8) }.sorted()
    if sockets.contains("sluice.sock") { return "unix:\(socketDirectory)/sluice.sock" }
    guard sockets.count < 2 else {
      let addresses = sockets.prefix(10).map { "unix:\(socketDirectory)/\($0)" }
      throw Failure(description: "several services listen: give one of \(addresses.joined(separator: ", "))")
    }
    return sockets.first.map { "unix:\(socketDirectory)/\($0)" } ?? defaultAddress
  }

  private static func names(in directory: String) -> [String] {
    let names = (try? FileSystem.names(in: directory, limit: .max)) ?? []
    return names.compactMap(\.string)
  }

  func run() throws {
    let address = try address ?? Self.unitAddress()
    guard let socketAddress = Self.socketAddress(address) else { return }
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
