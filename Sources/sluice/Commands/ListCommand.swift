import System
import Archive
import ArgumentParser
import EventLoop
import FoundationEssentials
import Glibc
import Restore
import Service

/// `sluice list`: what a backup would take.
struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Show what a backup would take, what it would skip and why.",
    discussion: """
      It begins as sluice backup does, with the same options, but writes no archive: it takes a snapshot of every \
      database and releases it. A database in WAL mode is pinned for that moment; any other is copied to memory or \
      to the spool directory. Like a backup, it can create an empty -wal and a -shm beside an idle database in WAL \
      mode, so run it as the application's own user.

      Then it names files in places where no backup looks, up to three folders deep, that look like databases: by \
      SQLite's first bytes, or by a name that ends in .db, .sqlite3 or the like.

      EXAMPLES
        sluice list --data /var/lib/app

        sluice list --data /var/lib/app \\
          --include attachments --exclude '*.tmp'

        # Databases that no backup takes.
        sluice list --data /var/lib/app --json |
          jq -r '.elsewhere.found[]'

      EXIT STATUS
        0   a backup would be complete
        1   failed; one line says why
        3   something would be skipped
        64  the command line is wrong
      """)

  @OptionGroup var archive: ArchiveArguments

  @Flag(help: "Print one JSON object instead of lines.")
  var json = false

  func run() throws {
    // Past a limit on the size of files, a write fails as on a full disk.
    signal(SIGXFSZ, SIG_IGN)
    raiseDescriptorLimit()
    let listing: Listing
    do {
      listing = try Listing(try archive.options(), archive.memory, takesSnapshots: true)
    } catch let error as BackupError {
      throw Failure(description: error.advice)
    }
    put(json ? try text(of: listing) : listing.lines.map { $0 + "\n" }.joined(), STDOUT_FILENO)
    if !listing.isComplete { throw ExitCode(3) }
  }

  private struct Answer: Encodable {
    let data: String
    let complete: Bool
    let listing: Listing

    enum CodingKeys: CodingKey { case data, complete }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(data, forKey: .data)
      try container.encode(complete, forKey: .complete)
      try listing.encode(to: encoder)
    }
  }

  private func text(of listing: Listing) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let answer = Answer(data: archive.content.data, complete: listing.isComplete, listing: listing)
    return String(decoding: try encoder.encode(answer), as: UTF8.self) + "\n"
  }
}

extension Listing {
  /// A line for each path, fit for a terminal.
  var lines: [String] {
    var lines = entries.map { entry in
      let kind = entry.kind == .database ? entry.journalMode.map { "database, \($0)" } ?? "database" : "file"
      let note = entry.note.map { ", \($0)" } ?? ""
      return "taken: \(printable(entry.path)) (\(kind), \(counted(entry.size, "byte"))\(printable(note)))"
    }
    lines += skipped.map { "skipped: \(printable($0.path)) (\($0.reason)): \(printable($0.advice))" }
    lines += excluded.map { "excluded: \(printable($0))" }
    lines += elsewhere.found.map {
      "not looked at: \(printable($0)) looks like a database, and its folder is not included"
    }
    lines += elsewhere.unreadable.map { "not looked at: \(printable($0)) cannot be read" }
    if !elsewhere.isWhole { lines.append("not looked at: further names, since there are too many") }
    return lines
  }
}
