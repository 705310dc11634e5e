import ArgumentParser
import Glibc
import Service
import System

/// `sluice status`: how several services are, a line for each.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show how services are, one line each.",
    usage: "sluice status [<address> ...] [<options>]",
    discussion: """
      Asks each service for /status.json and prints a line: whether a backup can be made, when the last complete one \
      was, what a backup would skip, and what is under way. Without an address it asks where sluice health does.

      EXAMPLES
        sluice status

        sluice status 127.0.0.1:8080 \\
          unix:/run/sluice/app.sock \\
          --token-file token --max-age 26h

        # Where sluice pull keeps backups.
        sluice status --pulls

        # The names of what would be skipped.
        sluice status 127.0.0.1:8080 --json |
          jq -r '.[].status.directory.skipped[].path'

      EXIT STATUS
        0   all is well
        1   no answer, no backup possible, or no complete one
            for --max-age; with --pulls, no whole one for
            --max-age, or the last drill failed
        3   something would be skipped; with --pulls, the
            newest is incomplete or unverified, the last pull
            failed, or the last drill found a loss
        64  the command line is wrong
      """)

  @Argument(
    help: ArgumentHelp(
      "Where it listens: HOST:PORT, [IPV6]:PORT, http://HOST:PORT/PATH, https://HOST/PATH or unix:PATH; may be "
        + "repeated. curl asks where it is https. (default: the unit's socket, or 127.0.0.1:8080)",
      valueName: "address"))
  var addresses: [String] = []

  @Flag(
    help:
      "Look at the backups that sluice pull keeps here, by their names. The addresses are directories then. (default: where sluice-pull.service and its instances keep them)"
  )
  var pulls = false

  @Option(
    help: ArgumentHelp("File with the services' token on its first line.", valueName: "file"),
    completion: .file())
  var tokenFile: String?

  @Option(help: ArgumentHelp("How old the last complete backup may be.", valueName: "time"))
  var maxAge = TimeSpan.seconds(36 * 3600)

  @Option(help: ArgumentHelp("How long to wait for each answer.", valueName: "time"))
  var timeout = TimeSpan.seconds(10)

  @Flag(help: "Print one JSON array instead of lines.")
  var json = false

  @Option(
    help: ArgumentHelp("Replace this file with a page of the same, for any web server.", valueName: "file"),
    completion: .file())
  var page: String?

  func validate() throws {
    guard !pulls else { return }
    for address in addresses where ServiceQuestion(address) == nil {
      throw ValidationError(
        "\(address): give HOST:PORT, https://HOST or unix:PATH, such as 127.0.0.1:8080")
    }
  }

  func run() throws {
    let rows = try pulls ? KeptReport(maxAge: maxAge.value).rows(addresses) : services()
    put(
      json
        ? "[\(rows.map(\.json).joined(separator: ",\n"))]\n"
        : rows.map { "\(printable("\($0.name): \($0.words)"))\n" }.joined(), STDOUT_FILENO)
    if let page { try write(rows, to: page) }
    let codes = rows.map(\.code)
    if let code = codes.contains(1) ? 1 : codes.max(), code > 0 { throw ExitCode(code) }
  }

  private func services() throws -> [StatusRow] {
    let token = try tokenFile.map(Self.token)
    let addresses = try self.addresses.isEmpty ? [Health.unitAddress()] : self.addresses
    return addresses.compactMap { address in
      ServiceQuestion(address)?.row(token, timeout: timeout.value, maxAge: maxAge.value)
    }
  }

  private static func token(in file: String) throws -> String {
    let text: [UInt8]
    do { text = try SmallFile.read(file, atMost: 16 << 10) } catch {
      throw Failure(description: "--token-file \(file): \(error)")
    }
    let first = text.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.first ?? []
    guard !first.isEmpty, first.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
      throw Failure(description: "--token-file \(file): there is no token on its first line")
    }
    return String(decoding: first, as: UTF8.self)
  }

  private func write(_ rows: [StatusRow], to path: String) throws {
    let page = FleetPage(rows.map(\.pageRow), host: hostName(), now: Timestamp.now().wholeSeconds)
    do throws(SystemError) { try PublicFile.replace(path, with: page.content) } catch {
      throw Failure(description: "--page \(path): \(error)")
    }
  }
}
