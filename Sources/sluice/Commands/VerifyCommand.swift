import Archive
import ArgumentParser
import FoundationEssentials
import Glibc
import Restore
import SQLiteSnapshot
import Service
import System

/// `sluice verify`: what an archive is worth.
struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Verify a backup: the zip, its manifest and every database.",
    usage: "sluice verify <archive> [<options>]",
    discussion: """
      All records of the zip must agree, every entry must be as MANIFEST.json says, and SQLite must find every \
      database whole. During its check, a database larger than 4 MiB lies in the spool directory. What needs the \
      application's own collations or functions is not checked, and the line says so. That is no damage, and \
      neither is a foreign key that leads nowhere.

      EXAMPLES
        # Only a whole archive replaces the last good one.
        sluice verify app.new && mv app.new app.zip

        # The verdict alone, of an archive from a pipe.
        curl -fs http://127.0.0.1:8080/api/backup |
          sluice verify --json - | jq -r .verdict

      EXIT STATUS
        0   whole
        1   damaged, or not readable
        2   not an archive of sluice
        3   sound, but something was skipped when it was made
        4   no damage found, but a check did not end in time
        64  the command line is wrong
      """)

  @Argument(
    help: ArgumentHelp("The archive; - is standard input, which may be a pipe.", valueName: "archive"),
    completion: .file())
  var archive: String

  @Flag(help: "Check databases less closely (quick_check), in half the time.")
  var quick = false

  @Flag(help: "Print one JSON object instead of lines.")
  var json = false

  @Option(
    help: ArgumentHelp("Directory for a database while SQLite checks it.", valueName: "dir"),
    completion: .directory)
  var spoolDirectory = ArchiveArguments.defaultSpoolDirectory

  @Option(help: ArgumentHelp("How long SQLite may check one database.", valueName: "time"))
  var checkTimeout = TimeSpan.hours(1)

  /// `sluice pull` compares it with what the last archive had.
  @Option(
    help: ArgumentHelp(
      "Write JSON with the databases that have a table, and what was left out, for sluice pull.",
      valueName: "file"), completion: .file())
  var inventory: String?

  func run() throws {
    let isInterrupted = holdSignals()
    let progress = TerminalProgress()
    let found: Verification
    do {
      defer { progress.clear() }
      found = try Verification(
        Verification.Options(
          archive: archive == "-" ? nil : archive, quick: quick,
          spoolDirectory: spoolDirectory, checkTimeout: checkTimeout.value),
        progress: progress.show, isInterrupted: isInterrupted)
    } catch RestoreError.interrupted {
      throw Failure(description: "interrupted: nothing is known of \(archive)")
    } catch let error as SystemError where error.isDirectory {
      printError("sluice: \(printable(archive)) is a directory, and no archive")
      throw ExitCode(2)
    } catch let error as SQLiteError {
      // What SQLite finds in a database is a verdict: only the spool throws.
      throw Failure(
        description: "\(archive) could not be read to its end: \(error); see --spool-directory")
    } catch {
      throw Failure(description: "\(archive) could not be read to its end: \(error)")
    }
    if let inventory, let found = found.inventory {
      do throws(SystemError) { try RecordFile.write(found, inventory) } catch {
        throw Failure(description: "\(inventory) cannot be written: \(error)")
      }
    }
    put(json ? text(of: found) : lines(of: found), STDOUT_FILENO)
    switch found.verdict {
    case .whole: break
    case .damaged: throw ExitCode(1)
    case .foreign: throw ExitCode(2)
    case .incomplete: throw ExitCode(3)
    case .unfinished: throw ExitCode(4)
    }
  }

  /// A line for each entry, each fault and what was skipped; the verdict is the last.
  private func lines(of found: Verification) -> String {
    var lines = found.entries.map { entry in
      let state =
        entry.fault.map { "DAMAGED: \(printable($0))" }
        ?? entry.notFinished.map { "NOT CHECKED: \(printable($0))" }
        ?? (entry.isDatabase ? "ok, database" : "ok")
      let unchecked = entry.notChecked.map { "not fully checked: " + $0.joined(separator: "; ") }
      let notes = [entry.note, entry.fault == nil ? unchecked : nil].compactMap { $0 }.map(printable)
      let note = notes.isEmpty ? "" : " (\(notes.joined(separator: "; ")))"
      return "\(printable(entry.path)), \(counted(entry.size, "byte")): \(state)\(note)"
    }
    lines += found.faults.map { "archive: \(printable($0))" }
    lines += found.skipped.map {
      "not in the archive: \(printable($0.path)) (\($0.reason)): \(printable($0.detail))"
    }
    let verdict =
      switch found.verdict {
      case .whole: "whole: \(counted(found.entries.count, "entry", "entries")), all as the manifest says"
      case .incomplete: "sound, but incomplete: \(found.skipped.count) skipped when it was made"
      case .damaged: "DAMAGED"
      case .unfinished: "NOT FINISHED: not every database was checked to its end; see --check-timeout"
      case .foreign: "not an archive of ours"
      }
    return (lines + ["\(printable(archive)): \(verdict)"]).map { $0 + "\n" }.joined()
  }

  private struct Answer: Encodable {
    let archive: String
    let verdict: Verification.Verdict
    let entries: [Verification.Entry]
    let faults: [String]
    let skipped: [Skipped]
  }

  private func text(of found: Verification) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let answer = Answer(
      archive: archive, verdict: found.verdict, entries: found.entries, faults: found.faults,
      skipped: found.skipped)
    do { return String(decoding: try encoder.encode(answer), as: UTF8.self) + "\n" } catch {
      fatalError("strings and numbers are always JSON: \(error)")
    }
  }
}
