import ArgumentParser
import Glibc
import Pull
import Restore
import Service
import System

/// `sluice pull`: fetches a backup of a service, or what has changed since the last one.
struct PullCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull",
    abstract: "Fetch a backup of a service, or only what has changed since the last one.",
    usage: """
      sluice pull <url> --into <dir> [<options>]
      sluice pull <url> --restic <repo> [<options>]
      sluice pull [<options>]
      """,
    discussion: """
      The archive is downloaded with curl, verified, and then put in place as DIR/NAME-2026-11-28T031502Z.zip. If \
      something is missing from it, the name ends in Z-incomplete.zip; if a database could not be checked in time, in \
      Z-unverified.zip. A broken download is resumed. A damaged archive is not kept.

      The URL gets ?compression=store unless it names another compression, or --rclone is the only destination. The \
      service can then send a delta from the archive of the last pull (RFC 3229). The new archive is made of both; on \
      XFS and Btrfs the two share what did not change. The last archive is never changed. If the delta does not fit or its result is not sound, the whole archive is fetched, once. If nothing has changed, nothing is \
      downloaded: the last archive is verified again instead. If that one is damaged on this disk, a whole archive is \
      fetched and the exit status is 1.

      DIR/.NAME.base has the tag of the last archive. Without it, the next archive is fetched whole.

      With --to, --restic, --borg or --rclone, these programs get the archive. After --into, they are fed from the verified \
      file. Without it, each byte is verified and passed on as it comes, and nothing lies on this disk but a database \
      while SQLite checks it; the last 128 KiB are held back. Unless the archive is sound, each program is killed \
      before its input ends, so it keeps nothing. A command finds the name for the archive in $SLUICE_NAME. restic, \
      borg and rclone take their passwords from their own variables and files. The tiers also hold for restic and \
      borg, by their own forget and prune, after a whole backup.

      If a database of the last good backup is gone, or has no table, the new backup is kept, no old one is removed, \
      and the exit status is 1, until a backup has the database again or --gone names it. Without --into, the directory \
      in the variable STATE_DIRECTORY remembers which databases there were.

      Without a URL, the variables SLUICE_PULL_URL, SLUICE_PULL_DIRECTORY and so on say what to do: so \
      sluice-pull.service runs it, with the settings in /etc/default/sluice-pull.

      --notify and --ping tell how it ended, also if another option or setting is wrong. A message that cannot be sent is a warning and does not change the \
      exit status. Other users can read a command line, so put a secret URL into a file.

      With a tier, --last to --yearly, sluice keep removes old backups at the end. Without one, none is removed. \
      curl takes proxies and certificates from its usual variables and from ~/.curlrc.

      EXAMPLES
        sluice pull http://127.0.0.1:8080/api/backup \\
          --into /srv/backups

        # With a token, and old backups are removed.
        sluice pull http://127.0.0.1:8080/api/backup \\
          --into /srv/backups --token-file token \\
          --last 14 --monthly 12

        # Into a repository of restic.
        sluice pull http://127.0.0.1:8080/api/backup \\
          --restic /srv/restic --last 14

      EXIT STATUS
        0   a whole backup is in place
        1   it is not, a destination failed, one is damaged,
            or a database is gone
        3   it is in place, but something is missing from it
        4   it is in place, but a check did not end in time
        64  the command line is wrong
      """)

  @Argument(
    help: ArgumentHelp("The URL of the backup. (default: the variables SLUICE_PULL_…)", valueName: "url"))
  var url: String?

  @Option(help: ArgumentHelp("The directory for the backups.", valueName: "dir"), completion: .directory)
  var into: String?

  @Option(help: ArgumentHelp("What the names of the backups begin with.", valueName: "name"))
  var name = "backup"

  @Option(
    help: ArgumentHelp(
      "File whose first line is the token. (default: the credential named token that systemd passes, if any)",
      valueName: "file"), completion: .file())
  var tokenFile: String?

  @Option(
    help: ArgumentHelp(
      "Connect to this Unix socket; the URL is then http://localhost/api/backup.", valueName: "path"),
    completion: .file())
  var unixSocket: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "More options for curl, such as '--cacert FILE': words between spaces, or in quotation marks.",
      valueName: "options"))
  var curl: String?

  @Flag(help: "Fetch a whole archive, compressed as the service does by default.")
  var whole = false

  @Option(
    help: ArgumentHelp("How long to wait before a retry; a download has three attempts.", valueName: "time"))
  var pause = TimeSpan.seconds(10)

  @Option(help: ArgumentHelp("How long SQLite may check one database.", valueName: "time"))
  var checkTimeout = TimeSpan.hours(1)

  @Option(
    help: ArgumentHelp(
      "Send JSON to this URL at the start and at the end, or to the one in the file FILE; may be repeated.",
      valueName: "url|@file"))
  var notify: [String] = []

  @Option(
    help: ArgumentHelp(
      "Ping this dead man's switch: URL/start, and URL or URL/fail; may be repeated.", valueName: "url|@file")
  )
  var ping: [String] = []

  @Option(
    help: ArgumentHelp("Write metrics for node_exporter's textfile collector.", valueName: "file.prom"),
    completion: .file())
  var textfile: String?

  @Option(
    help: ArgumentHelp(
      "Wait until fewer than N pulls with this option run on this machine. (default: no limit)",
      valueName: "n"))
  var atOnce: Int?

  @Option(
    help: ArgumentHelp(
      "After a backup, run sluice drill for each place whose last one is this old or has failed. The results are in "
        + "DIR/.NAME.drill.json, then DIR/.NAME.drill-2.json.", valueName: "time"))
  var drill: TimeSpan?

  @Flag(help: "Only tell of a pull that was killed: for ExecStopPost= of its unit.")
  var ended = false

  @OptionGroup var destinations: DestinationArguments

  @OptionGroup var retention: RetentionArguments

  var backupURL: BackupURL? {
    // rclone finds no blocks that it has: for it alone, the smaller archive is the better one.
    let isForRclone =
      into == nil && !destinations.all.isEmpty && destinations.all.allSatisfy { $0.kind == .rclone }
    return url.flatMap { BackupURL($0, isWhole: whole || isForRclone) }
  }

  private static let maximumAtOnce = 1000

  func validate() throws {
    // The settings are a command line of their own.
    if url == nil, PullSettings.ofThisProcess().isThere { return }
    guard backupURL != nil else {
      let shown = url.map(BackupURL.shown(refused:)) ?? "no URL"
      throw ValidationError("\(shown): give a URL such as https://backup.example.org/api/backup")
    }
    if let into, into.isEmpty || into.utf8.contains(0) { throw ValidationError("--into: give a directory") }
    guard into != nil || !destinations.all.isEmpty else {
      throw ValidationError(
        "--into: give a directory, or another destination with \(DestinationArguments.names)")
    }
    guard Self.isName(name) else {
      throw ValidationError("--name \(name): give letters, digits and ._-, such as backup")
    }
    guard drill == nil || !backupSources.isEmpty else {
      throw ValidationError("--drill: what only a command of --to has cannot be read back")
    }
    for (option, values) in [("--notify", notify), ("--ping", ping)] {
      // Never its text: it may be a secret.
      guard values.allSatisfy({ $0.utf8.starts(with: "@".utf8) || NoticeURL($0) != nil }) else {
        throw ValidationError(
          "\(option): give a URL of http or https with at most \(NoticeURL.maximumSize) bytes, or @FILE")
      }
    }
    guard notify.count + ping.count <= PullMessenger.maximumTargets else {
      throw ValidationError("--notify, --ping: give at most \(PullMessenger.maximumTargets) of them")
    }
    if let atOnce, !(1...Self.maximumAtOnce).contains(atOnce) {
      throw ValidationError("--at-once \(atOnce): give a number from 1 to \(Self.maximumAtOnce)")
    }
    guard textfile?.hasSuffix(Textfile.ending) ?? true else {
      throw ValidationError(
        "--textfile: the name must end in \(Textfile.ending), or node_exporter does not read it")
    }
  }

  static func isName(_ name: String) -> Bool {
    let marks = Array("._-".utf8)
    return !name.isEmpty && name.utf8.count <= 100 && !name.utf8.starts(with: ".".utf8)
      && !name.utf8.starts(with: "-".utf8)
      && name.utf8.allSatisfy { byte in
        marks.contains(byte)
          || byte < 0x80
            && (Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber)
      }
  }
}
