import ArgumentParser
import Glibc
import Pull
import Service
import System

/// What `sluice setup --pull NAME` writes: the settings of `sluice-pull@NAME.service`, its token, and a drop-in if it needs
/// more than the unit has.
struct PullSetup: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Set up sluice-pull@NAME, which fetches a backup every night; its backups are NAME-TIME.zip.",
      valueName: "name"))
  var pull: String?

  @Option(help: ArgumentHelp("The URL of the backup that --pull fetches.", valueName: "url"))
  var url: String?

  @Option(
    help: ArgumentHelp(
      "Fetch from this Unix socket of this machine, as a member of its group.", valueName: "path"),
    completion: .file())
  var unixSocket: String?

  @Option(
    help: ArgumentHelp(
      "The directory for the backups of --pull; the unit runs as its owner. With none, only the destinations of "
        + "--to, --restic, --borg or --rclone get them. (default: /var/lib/sluice-pull@NAME)",
      valueName: "dir"),
    completion: .directory)
  var into: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How many backups --pull keeps: a number, or options of sluice keep. (default: 14)",
      valueName: "n|rules"))
  var keep: String?

  @Option(
    help: ArgumentHelp(
      "Restore a backup of --pull into a scratch directory and look into it, as often as this, such as 30d.",
      valueName: "time"))
  var drill: String?

  @Option(
    help: ArgumentHelp(
      "File with the token for --pull, which is copied to /etc/credstore.", valueName: "file"),
    completion: .file())
  var tokenFile: String?

  @Option(
    help: ArgumentHelp(
      "As of sluice pull, but setup reads @FILE, which the unit may not be able to read; may be repeated.",
      valueName: "url|@file"))
  var notify: [String] = []

  @Option(
    help: ArgumentHelp(
      "As of sluice pull, but setup reads @FILE, which the unit may not be able to read; may be repeated.",
      valueName: "url|@file"))
  var ping: [String] = []

  @OptionGroup var destinations: DestinationArguments

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "More options of sluice pull for the unit, separated by spaces; one with a space in it is in quotation marks.",
      valueName: "options")
  )
  var options: String?

  @Option(
    help: ArgumentHelp(
      "A variable for restic, borg or rclone, such as RESTIC_PASSWORD=@FILE, which has the first line of a file; may be "
        + "repeated.", valueName: "name=value"))
  var variable: [String] = []

  @Flag(help: "Show what --pull NAME has written, without secrets.")
  var show = false

  /// Whether an option is given that only a pull has.
  private var isUsed: Bool {
    url != nil || unixSocket != nil || into != nil || keep != nil || drill != nil || tokenFile != nil
      || options != nil || !destinations.all.isEmpty || !variable.isEmpty || !notify.isEmpty || !ping.isEmpty
      || show
  }

  func validate() throws {
    guard let pull else {
      if isUsed { throw ValidationError("--url and the other options of a pull: give --pull NAME, too") }
      return
    }
    guard PullCommand.isName(pull), pull.utf8.count <= Self.maximumName else {
      throw ValidationError("--pull \(pull): give a name of letters, digits and ._-, such as app")
    }
    for value in [url, unixSocket, into, options, keep, drill] + notify + ping + destinations.all.map(\.place)
    {
      guard let value else { continue }
      guard !value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
        throw ValidationError("--pull \(pull): a setting can have no control characters")
      }
    }
    guard variable.allSatisfy({ PullVariable($0) != nil }) else {
      // Never its text: it may be a secret.
      throw ValidationError(
        "--variable: give NAME=VALUE or NAME=@FILE; names that begin with SLUICE_ are other options")
    }
    for (option, value) in [("--options", options), ("--keep", keep)] where !Words(value ?? "").isClosed {
      throw ValidationError("\(option): a quotation mark has no second, or a backslash is at its end")
    }
    if let unixSocket, !unixSocket.utf8.starts(with: "/".utf8) || unixSocket.contains(" ") {
      throw ValidationError("--unix-socket \(unixSocket): give an absolute path without spaces")
    }
  }

  /// So that the unit's name fits: systemd.unit(5).
  private static let maximumName = 90
}

extension PullSetup {
  static let firstLine = "# Written by sluice setup, which replaces it."
  /// More than any token of the service has.
  private static let maximumTokenSize = 3000

  private static func unit(_ name: String) -> String { PullUnit(instance: name).name }
  static func settingsPath(_ name: String) -> BytePath { PullUnit(instance: name).settingsPath }
  static func tokenPath(_ name: String) -> BytePath { BytePath("/etc/credstore/\(unit(name)).token") }
  static func dropInPath(_ name: String) -> BytePath { DropIn.path(unit(name), .service) }

  /// `SLUICE_PULL_OPTIONS`: what the options of setup say, and the further ones.
  private var unitOptions: String {
    let words =
      (unixSocket.map { ["--unix-socket=\($0)"] } ?? [])
      + destinations.all.map { "\($0.option)=\($0.place)" }
    return [Words.text(words), options ?? ""].filter { !$0.isEmpty }.joined(separator: " ")
  }

  /// The settings, in the order of the file.
  private func settings(_ name: String, _ owner: DataOwner?) throws -> [(name: String, value: String)] {
    var settings = [("URL", url ?? "http://localhost/api/backup"), ("NAME", name), ("DELTA", "yes")]
    if let directory = owner?.path ?? (into == PullSettings.noDirectory ? into : nil) {
      settings.append(("DIRECTORY", directory))
    }
    if let keep { settings.append(("KEEP", keep)) }
    if let drill { settings.append(("DRILL", drill)) }
    for (name, option, values) in [("NOTIFY", "--notify", notify), ("PING", "--ping", ping)]
    where !values.isEmpty {
      settings.append((name, try values.map { try Self.notice(option, $0) }.joined(separator: " ")))
    }
    if !unitOptions.isEmpty { settings.append(("OPTIONS", unitOptions)) }
    return settings.map { ("SLUICE_PULL_\($0)", $1) }
  }

  /// What a unit needs in its place.
  struct Plan {
    let name: String
    let settings: String
    let token: String?
    let dropIn: DropIn?
    let shown: String
  }

  /// - Throws: an error of the parser, or a `Failure` that says why there can be no such unit.
  func plan(_ name: String) throws -> Plan {
    guard url != nil || unixSocket != nil else {
      throw ValidationError(
        "--pull \(name): give --url URL, or --unix-socket PATH for a service of this machine")
    }
    let isKept = into != PullSettings.noDirectory
    let owner = isKept ? try into.map { try DataOwner(of: $0, option: "--into") } : nil
    if let owner, owner.user == "root" {
      printError(
        "sluice: warning: \(printable(owner.path)) belongs to root: the service will run as root, though without capabilities"
      )
    }
    let settings = try settings(name, owner)
    let unit = PullUnit(instance: name)
    var environment = Dictionary(uniqueKeysWithValues: settings)
    environment["STATE_DIRECTORY"] = unit.stateDirectory.lossyString
    // What the unit would refuse at night is refused now.
    _ = try PullSettings(environment).command()
    var lines = owner.map(DropIn.access) ?? []
    if let unixSocket { lines.append("SupplementaryGroups=\(try Self.group(of: unixSocket))") }
    let variables = try variable.compactMap(PullVariable.init).map { ($0.name, try $0.content()) }
    return Plan(
      name: name, settings: Self.text(settings + variables), token: try tokenFile.map(Self.token),
      dropIn: lines.isEmpty ? nil : DropIn(.service, of: Self.unit(name), ["[Service]"] + lines),
      shown: Self.text((settings + variables).map { ($0.name, Self.shown($0.name, $0.value)) }))
  }

  private static func text(_ settings: [(name: String, value: String)]) -> String {
    ([firstLine, "# What you add belongs into a drop-in: systemctl edit."]
      + settings.map { "\($0.name)=\($0.value.environmentQuoted)" }).map { $0 + "\n" }.joined()
  }

  /// A value without its secrets.
  static func shown(_ name: String, _ value: String) -> String {
    guard PullSettings.isOne(name) else { return "…" }
    if name == PullSettings.url { return BackupURL(value, isWhole: true)?.shown ?? "…" }
    guard PullSettings.secrets.contains(name) else { return value }
    if name == PullSettings.curl { return shown(command: value) }
    let words = Words(value).all
    return Words.text(
      words.indices.map { index in
        if index > 0, commandOptions.contains(words[index - 1]) { return shown(command: words[index]) }
        guard let option = commandOptions.first(where: { words[index].utf8.starts(with: "\($0)=".utf8) })
        else {
          return shown(words[index])
        }
        return "\(option)=\(shown(command: String(words[index].dropFirst(option.count + 1))))"
      })
  }

  /// Their values are options of other programs, each of which may be a secret or have one.
  private static let commandOptions = ["--to", "--curl"]

  /// Which program it is, and which options it has; the rest may be a secret.
  private static func shown(command: String) -> String {
    let words = Words(command).all
    return Words.text(
      words.indices.map { index in
        let word = words[index]
        let isName =
          word.utf8.starts(with: "--".utf8) || word.utf8.count == 2 && word.utf8.first == UInt8(ascii: "-")
        return (isName || index == 0 && !word.utf8.starts(with: "-".utf8)) && !word.contains("=") ? word : "…"
      })
  }

  /// A word of an option, or `--OPTION=WORD`.
  private static func shown(_ word: String) -> String {
    let option = word.utf8.starts(with: "--".utf8) ? word.firstIndex(of: "=").map { word[...$0] } ?? "" : ""
    let value = String(word.dropFirst(option.count))
    return option + (NoticeURL(value).map { "\($0.shown)/…" } ?? PlaceName.withoutPassword(value))
  }

  /// A place of messages, which `@FILE` has on its first line: it may be a file of root's, which the unit cannot read.
  private static func notice(_ option: String, _ value: String) throws(Failure) -> String {
    guard value.utf8.starts(with: "@".utf8) else { return value }
    let file = String(value.dropFirst())
    let line: [UInt8]
    do { line = try SmallFile.firstLine(of: file, atMost: PullCommand.maximumNoticeFile) } catch {
      throw Failure(description: "\(option) \(file): \(error)")
    }
    guard let url = NoticeURL(String(decoding: line, as: UTF8.self)) else {
      throw Failure(description: "\(option) \(file): its first line is no URL of http or https")
    }
    return url.text
  }

  /// The group whose members may connect to a socket.
  private static func group(of socket: String) throws(Failure) -> String {
    let status: FileSystem.Status
    do throws(SystemError) { status = try FileSystem.status(BytePath(socket)) } catch {
      throw Failure(
        description: "--unix-socket \(socket): \(error); set up its service first: sluice setup --data")
    }
    guard status.group != 0, status.permissions & 0o020 != 0, let entry = unsafe getgrgid(status.group) else {
      throw Failure(
        description: "--unix-socket \(socket): only root can connect to it; give its group a name with "
          + "sluice setup --data DIR --socket-group GROUP")
    }
    return unsafe String(cString: entry.pointee.gr_name)
  }

  private static func token(_ file: String) throws(Failure) -> String {
    do { return String(decoding: try SmallFile.read(file, atMost: maximumTokenSize), as: UTF8.self) } catch {
      throw Failure(description: "--token-file \(file): \(error)")
    }
  }
}
