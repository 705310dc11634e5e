import System
import Archive
import ArgumentParser
import Glibc
import Restore
import Service

/// `sluice setup`: what the units must know of a data directory, in drop-ins beside them.
struct SetupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "setup",
    abstract: "Set up the systemd units for a data directory.",
    usage: """
      sluice setup --data <dir> [<options>]
      sluice setup --pull <name> --url <url> [<options>]
      """,
    discussion: """
      It writes drop-ins for sluice.service and sluice.socket. The service runs as the owner of the directory and \
      can write there only. The directory's group can connect, if it can read the directory. The command prints \
      what it writes, and what a backup with the default options would take, by names and first bytes; it opens no \
      database (sluice list does). A repetition is safe: only --socket-group changes the group that can connect.

      With --pull, it sets up a nightly pull from another machine, or from a socket of this one: the settings in \
      /etc/sluice/pull.d/NAME and the token in /etc/credstore, for root alone, and a drop-in for \
      sluice-pull@NAME.service if it needs one. The backups stay when it is removed.

      EXAMPLES
        # Show what would be written and run.
        sluice setup --data /var/lib/app --dry-run

        sudo sluice setup --data /var/lib/app --enable

        # nginx, in the group www-data, can connect.
        sudo sluice setup --data /var/lib/app --enable \\
          --socket-group www-data

        # A second application, and its removal.
        sudo sluice setup --data /srv/other --enable \\
          --instance other
        sudo sluice setup --instance other --remove

        # Fetch a backup of another machine every night.
        sudo sluice setup --pull app --enable \\
          --url https://backup.example.org/api/backup \\
          --token-file token --keep '--last 14 --monthly 12'

      EXIT STATUS
        0   done
        1   failed; one line says why
        64  the command line is wrong
      """)

  @Option(help: ArgumentHelp("The directory with the databases.", valueName: "dir"), completion: .directory)
  var data: String?

  @Option(
    help: ArgumentHelp(
      "Set up sluice@NAME instead: one for each application, with the socket /run/sluice/NAME.sock.",
      valueName: "name"))
  var instance: String?

  @Option(
    help: ArgumentHelp(
      "The group that can connect, and so fetch every database, such as nginx's www-data. (default: the "
        + "directory's group if it can read the directory, else root)",
      valueName: "group"))
  var socketGroup: String?

  @OptionGroup var pulling: PullSetup

  @Flag(help: "Reload systemd, enable the socket, or the timer of --pull, and start it.")
  var enable = false

  @Flag(help: "Show what would be written and run, and change nothing.")
  var dryRun = false

  @Flag(help: "Stop and disable the units, and remove the drop-ins.")
  var remove = false

  func validate() throws {
    guard data != nil || remove || pulling.pull != nil else {
      throw ValidationError("give --data DIR, or --pull NAME, or --remove")
    }
    guard pulling.pull == nil || data == nil && instance == nil && socketGroup == nil else {
      throw ValidationError("--pull: give no --data, --instance or --socket-group with it")
    }
    guard !pulling.show || !(enable || remove) else {
      throw ValidationError("--show: give no --enable or --remove with it")
    }
    guard !(enable && remove) else { throw ValidationError("--enable and --remove: give one of them") }
    guard let instance else { return }
    // systemd.unit(5); the socket's path must fit into sun_path, unix(7).
    let isName = instance.utf8.allSatisfy { isalnum(CInt($0)) != 0 || "-_.\\@".utf8.contains($0) }
    guard isName, (1...90).contains(instance.utf8.count), !instance.hasPrefix("."), instance != "sluice"
    else {
      throw ValidationError(
        "--instance \(instance): give a name of letters, digits and -_.\\@ that is not sluice, such as app; "
          + "systemd-escape makes one")
    }
  }

  private var unit: String { instance.map { "sluice@\($0)" } ?? "sluice" }
  private var socketPath: String { "/run/sluice/\(instance ?? "sluice").sock" }

  func run() throws {
    if let name = pulling.pull, pulling.show { return try pulling.showAll(name) }
    guard geteuid() == 0 || dryRun else {
      throw Failure(description: "setup writes below /etc/systemd and must run as root; --dry-run need not")
    }
    if let name = pulling.pull { return remove ? try removePull(name) : try writePull(name) }
    if remove { try removeAll() } else if let data { try writeAll(try DataOwner(of: data)) }
  }

  private func writePull(_ name: String) throws {
    try requireSystemd()
    let isChanged = try pulling.carryOut(try pulling.plan(name), dryRun: dryRun)
    let timer = "sluice-pull@\(name).timer"
    let commands = (isChanged ? [["daemon-reload"]] : []) + [["enable", "--now", timer]]
    try run(commands)
    put(
      "then:  sudo systemctl start sluice-pull@\(name).service && journalctl -u sluice-pull@\(name).service\n",
      STDOUT_FILENO)
  }

  private func removePull(_ name: String) throws {
    let unit = "sluice-pull@\(name)"
    if Systemctl.isThere {
      try systemctl(["disable", "--now", "\(unit).timer"])
      try systemctl(["stop", "\(unit).service"])
    }
    try pulling.removeAll(name, dryRun: dryRun)
    if Systemctl.isThere { try systemctl(["daemon-reload"]) }
    put("the backups stay where they are: by default /var/lib/private/\(unit)\n", STDOUT_FILENO)
  }

  private func requireSystemd() throws(Failure) {
    if enable, !dryRun, !Systemctl.isThere {
      throw Failure(
        description: "--enable: systemd does not run here; without --enable the files are written")
    }
  }

  /// Runs the commands, or shows them.
  private func run(_ commands: [[String]]) throws {
    if enable {
      for command in commands { try systemctl(command) }
    } else {
      put("next:  sudo sluice setup … --enable, or\n", STDOUT_FILENO)
      for command in commands { put("  sudo systemctl \(command.joined(separator: " "))\n", STDOUT_FILENO) }
    }
  }

  private func writeAll(_ owner: DataOwner) throws {
    if let socketGroup, unsafe getgrnam(socketGroup) == nil {
      throw Failure(description: "--socket-group \(socketGroup): there is no such group")
    }
    let group = socketGroup ?? owner.socketGroup
    if socketGroup == nil, let written = DropIn.writtenSocketGroup(unit), written != group {
      throw Failure(
        description:
          "\(DropIn.path(unit, .socket)) lets the group \(written) connect; without --socket-group it would be \(group): "
          + "give --socket-group \(written), or --socket-group \(group)")
    }
    for warning in owner.warnings { printError("sluice: warning: \(printable(warning))") }
    try requireSystemd()
    let listing = show(try ArchiveArguments.parse(["--data", owner.path]))
    let databaseCount = listing?.entries.count { $0.kind == .database }
    var isChanged = false
    for dropIn in [
      DropIn(service: unit, owner, databaseCount: databaseCount),
      DropIn(socket: unit, group: group),
    ] {
      let isNew = !dropIn.isInstalled
      put("# \(dropIn.path)\(isNew ? "" : " (unchanged)")\n\(dropIn.content)\n", STDOUT_FILENO)
      if isNew, !dryRun { try dropIn.write() }
      isChanged = isChanged || isNew
    }
    var commands = [["daemon-reload"], ["enable", "--now", "\(unit).socket"]]
    // A socket keeps its group, and a service its user, until they are started again.
    if isChanged { commands.insert(["try-restart", "\(unit).socket"], at: 1) }
    try run(commands)
    // Only root and the socket's group can connect, and what root downloads may be for root alone.
    put(
      "then:  sudo curl -fo app.new --unix-socket \(socketPath) http://localhost/api/backup && sudo sluice verify app.new\n",
      STDOUT_FILENO)
  }

  /// Longer lists are cut: `sluice list` has all.
  private static let maximumLines = 40

  /// What a backup would take. The databases are not opened: as root, that would be no test of what the service may do.
  ///
  /// - Returns: nil if it is not known.
  private func show(_ archive: ArchiveArguments) -> Listing? {
    do {
      let listing = try Listing(try archive.options(), archive.memory, takesSnapshots: false)
      let data = printable(archive.content.data)
      if listing.skipped.contains(where: { $0.path == "." }) {
        printError(
          "sluice: warning: there is no SQLite database in \(data): is it the right directory, and mounted?"
        )
      }
      let lines = listing.lines
      put("# A backup with the default options, by names and first bytes:\n", STDOUT_FILENO)
      for line in lines.prefix(Self.maximumLines) { put("#   \(line)\n", STDOUT_FILENO) }
      if lines.count > Self.maximumLines {
        put(
          "#   and \(lines.count - Self.maximumLines) more: sluice list --data \(data)\n",
          STDOUT_FILENO)
      }
      return listing
    } catch {
      printError("sluice: warning: what a backup would take is not known: \(printable("\(error)"))")
      return nil
    }
  }

  private func removeAll() throws {
    // Stopping the socket stops the service, which first finishes what is under way.
    if Systemctl.isThere { try systemctl(["disable", "--now", "\(unit).socket"]) }
    for kind in DropIn.Kind.allCases {
      let path = DropIn.path(unit, kind)
      put("remove \(path)\n", STDOUT_FILENO)
      if !dryRun { try DropIn.remove(path) }
    }
    if Systemctl.isThere { try systemctl(["daemon-reload"]) }
  }

  private func systemctl(_ arguments: [String]) throws {
    put("systemctl \(arguments.joined(separator: " "))\n", STDOUT_FILENO)
    if !dryRun { try Systemctl.run(arguments) }
  }
}
