import ArgumentParser

/// The options that say where a pulled archive goes, beside a directory.
struct DestinationArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A shell command that gets the archive on its standard input; may be repeated. Unless the archive is sound, it is "
        + "killed before its input ends.", valueName: "command"))
  var to: [String] = []

  @Option(
    help: ArgumentHelp(
      "A restic repository; may be repeated. restic has its password from its own variables.",
      valueName: "repo"))
  var restic: [String] = []

  @Option(
    help: ArgumentHelp(
      "A borg repository; may be repeated. borg has its passphrase from its own variables.",
      valueName: "repo"))
  var borg: [String] = []

  @Option(
    help: ArgumentHelp("A directory of a remote of rclone; may be repeated.", valueName: "remote:path"))
  var rclone: [String] = []

  /// The options, for a message.
  static let names = "--to, --restic, --borg or --rclone"

  /// All of them.
  var all: [Destination] {
    to.map { Destination(kind: .command, place: $0) } + restic.map { Destination(kind: .restic, place: $0) }
      + borg.map { Destination(kind: .borg, place: $0) }
      + rclone.map { Destination(kind: .rclone, place: $0) }
  }

  func validate() throws {
    for destination in all where destination.place.isEmpty || destination.place.utf8.contains(0) {
      throw ValidationError(
        "\(destination.option): give \(destination.kind == .command ? "a command" : "a place")")
    }
  }
}
