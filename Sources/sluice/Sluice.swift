import System
import Archive
import ArgumentParser
import CLinux
import Glibc
import Restore
import Service
import Systemd

/// The command line.
@main
struct Sluice: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sluice",
    abstract: "Consistent hot backups of SQLite data directories, over HTTP or to a file.",
    discussion: """
      EXAMPLES
        # Serve backups of the databases in /var/lib/app.
        sluice serve --data /var/lib/app

        # Fetch one. app.zip stays until the new one is verified.
        curl -fo app.new http://127.0.0.1:8080/api/backup &&
          sluice verify app.new && mv app.new app.zip

        # The same without a server.
        sluice backup --data /var/lib/app -o app.new &&
          sluice verify app.new && mv app.new app.zip

        # Show what a restore would change.
        sluice restore app.zip --into /var/lib/app --dry-run

        # Let systemd start the server when a client connects.
        sudo sluice setup --data /var/lib/app --enable

      EXIT STATUS
        0   done
        1   failed; one line says why
        2   not an archive of sluice (verify, restore)
        3   something was skipped (backup, list, verify, restore,
            pull), or was lost since the last drill (drill)
        4   a check did not end in time (verify, pull)
        5   an older backup was restored (restore --from)
        64  the command line is wrong
      """,
    version: "sluice \(version)",
    subcommands: [
      Serve.self, BackupCommand.self, ListCommand.self, VerifyCommand.self, RestoreCommand.self,
      KeepCommand.self, DrillCommand.self, PullCommand.self, Health.self, StatusCommand.self,
      SetupCommand.self,
    ])

  static func main() {
    openStandardStreams()
    keepBuffers()
    var command: any ParsableCommand
    do { command = try parseAsRoot() } catch {
      if !exitCode(for: error).isSuccess {
        // A unit with a wrong option has clients that wait, too.
        try? ServiceSockets(listen: []).refuseAll()
        let words = Array(CommandLine.arguments.dropFirst(2))
        switch CommandLine.arguments.dropFirst().first {
        case PullCommand.configuration.commandName: PullCommand.tellOfRefusal(error, words)
        case DrillCommand.configuration.commandName: DrillCommand.tellOfRefusal(error, words)
        default: break
        }
      }
      leave(error)
    }
    do { try command.run() } catch { leave(error) }
  }

  /// Gives the numbers of streams that were closed to nothing, lest the next file or socket of ours should get them, and
  /// the log be written into it.
  private static func openStandardStreams() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest number that is free, which this one is.
      _ = unsafe open("/dev/null", O_RDWR)
    }
  }

  /// Lets what the blocks of a backup took stay with the allocator, which would otherwise return it to the system after
  /// each of them and fault it in again for the next; what is larger than a few blocks is still returned at once. One
  /// arena serves all threads: they hand their blocks on to one another. mallopt(3).
  private static func keepBuffers() {
    mallopt(M_ARENA_MAX, 1)
    mallopt(M_MMAP_THRESHOLD, 1 << 20)
    mallopt(M_TRIM_THRESHOLD, 4 << 20)
  }

  private static func leave(_ error: any Error) -> Never {
    let code = exitCode(for: error)
    // --help and --version go to standard output, as they are.
    if code.isSuccess { exit(withError: error) }
    var message = message(for: error)
    if let examples = examples(for: message) { message += ": \(examples)" }
    if !message.isEmpty { printError("sluice: \(printable(message))") }
    Glibc.exit(code.rawValue)
  }
}

/// One line on standard error; an error, when it is the journal that reads it.
///
/// It is not sent to the journal as an entry: that looks up whose an entry is when it comes to read it, and this line may
/// well be our last. Of a stream it knows from the beginning. `<3>` is `LOG_ERR`: sd-daemon(3).
func printError(_ line: String) {
  put("\(Journal.isStandardError() ? "<\(LOG_ERR)>" : "")\(line)\n", STDERR_FILENO)
}
