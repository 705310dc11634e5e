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
    guard let address, ServiceRequest(address) == nil else { return }
    throw ValidationError(
      "\(address): give HOST:PORT, http://HOST:PORT or unix:PATH, such as 127.0.0.1:8080")
  }

  /// - Throws: a `Failure` when several units listen, and none of them is `sluice.socket`.
  static func unitAddress() throws -> String {
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
    guard let request = ServiceRequest(address) else { return }
    let answer: ServiceRequest.Answer
    do {
      answer = try request.answer(to: "/healthz", atMost: Self.maximumAnswerSize, timeout: timeout.value)
    } catch {
      if case .noSluice = error { throw Failure(description: "\(address) answers, but it is no sluice") }
      throw Failure(description: "\(address) does not answer: \(error)")
    }
    let content = String(decoding: answer.content, as: UTF8.self).split(separator: "\n").first ?? ""
    guard answer.status == 200 else { throw Failure(description: printable(String(content))) }
    put(printable(String(content)) + "\n", STDOUT_FILENO)
  }
}
