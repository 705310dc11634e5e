import ArgumentParser
import Glibc
import Pull
import System

/// The settings of `sluice-pull.service` and its instances: variables of the environment that stand for options of
/// `sluice pull`, so that the unit can read them from a file. They are read if the command line has no URL.
struct PullSettings {
  private static let prefix = ProgramVariables.settings
  /// Without `SLUICE_PULL_KEEP`, so many are kept.
  private static let defaultKeep = "14"
  /// Of `SLUICE_PULL_DIRECTORY`: only the destinations among the options get the archive.
  static let noDirectory = "none"
  /// Of `SLUICE_PULL_KEEP`; no number of nights is longer.
  private static let maximumDigits = 6

  private let variables: [String: String]

  /// - Parameter environment: names and values; those that are no settings are ignored.
  init(_ environment: [String: String]) {
    variables = environment.filter {
      Self.isOne($0.key) || $0.key == "STATE_DIRECTORY"
    }
  }

  /// Those of this process.
  static func ofThisProcess() -> PullSettings {
    var environment: [String: String] = [:]
    var next = unsafe environ
    while let entry = unsafe next.pointee {
      let parts = unsafe String(cString: entry).split(
        separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { environment[String(parts[0])] = String(parts[1]) }
      unsafe next += 1
    }
    return PullSettings(environment)
  }

  /// Whether a variable is one of them: others are for the programs that `sluice pull` runs.
  static func isOne(_ name: String) -> Bool { name.utf8.starts(with: prefix.utf8) }

  /// Whether a variable says that the settings are meant.
  var isThere: Bool { variables["\(Self.prefix)URL"] != nil }

  /// Names that are none of a setting: perhaps one was mistyped.
  var unknown: [String] {
    let known = Set(Self.known.map { Self.prefix + $0 } + ["STATE_DIRECTORY"])
    return variables.keys.filter { !known.contains($0) }.sorted()
  }

  private static let known = [
    "URL", "DIRECTORY", "NAME", "KEEP", "CURL", "TOKEN_FILE", "PAUSE", "DELTA", "NOTIFY", "PING", "TEXTFILE",
    "AT_ONCE", "DRILL",
    // Of the unit alone, which makes options of it.
    "OPTIONS",
  ]

  static let url = prefix + "URL"
  static let curl = prefix + "CURL"
  private static let notices = ["NOTIFY", "PING"]
  /// Those of words that may have a secret in them.
  static let secrets = (notices + ["CURL", "OPTIONS"]).map { prefix + $0 }

  /// An empty one is as good as none.
  private func value(_ name: String) -> String? {
    guard let value = variables[Self.prefix + name], !value.isEmpty else { return nil }
    return value
  }

  /// The command line that the unit makes of them, with `SLUICE_PULL_OPTIONS`.
  func command() throws -> PullCommand { try command(Words(value("OPTIONS") ?? "").all) }

  /// The command line that they stand for.
  ///
  /// - Parameter further: options of the command line itself, which come last.
  /// - Throws: an error of the parser, or one that names the variable.
  func command(_ further: [String]) throws -> PullCommand {
    let url = variables["\(Self.prefix)URL"] ?? ""
    guard BackupURL(url, isWhole: true) != nil else {
      throw Self.wrong(
        "URL", BackupURL.shown(refused: url), "give one such as https://backup.example.org/api/backup")
    }
    let directory = value("DIRECTORY") ?? variables["STATE_DIRECTORY"] ?? ""
    let hasDirectory = directory != Self.noDirectory
    guard !hasDirectory || directory.utf8.starts(with: "/".utf8) else {
      throw Self.wrong("DIRECTORY", directory, "give an absolute path, or none")
    }
    let first = [url, "--into", "/"]
    var words = [url] + (hasDirectory ? ["--into", directory] : [])
    for (name, value, options) in try options(in: directory) {
      do { _ = try PullCommand.parse(first + options) } catch {
        throw Self.wrong(name, value, PullCommand.message(for: error))
      }
      words += options
    }
    return try PullCommand.parse(words + further)
  }

  /// The options of them that say where a pull tells how it ended; an option may be wrong.
  var tellingOptions: [String] {
    let directory = value("DIRECTORY").flatMap { $0.utf8.starts(with: "/".utf8) ? $0 : nil }
    return [("--name", value("NAME")), ("--into", directory), ("--textfile", value("TEXTFILE"))]
      .compactMap { option, value in value.map { "\(option)=\($0)" } }
      + Self.notices.flatMap { notices(of: $0) }
  }

  private func notices(of name: String) -> [String] {
    Words(value(name) ?? "").all.map { "--\(name.lowercased())=\($0)" }
  }

  /// Each setting with the options that it stands for.
  private func options(in directory: String) throws -> [(name: String, value: String, options: [String])] {
    var found: [(name: String, value: String, options: [String])] = []
    let keep = value("KEEP") ?? Self.defaultKeep
    found.append(("KEEP", keep, try Self.retention(keep, in: directory)))
    for (name, option) in [
      ("NAME", "--name"), ("TOKEN_FILE", "--token-file"), ("CURL", "--curl"), ("TEXTFILE", "--textfile"),
      ("AT_ONCE", "--at-once"), ("DRILL", "--drill"),
    ] {
      if let value = value(name) { found.append((name, value, ["\(option)=\(value)"])) }
    }
    for name in Self.notices where value(name) != nil { found.append((name, "…", notices(of: name))) }
    if let pause = value("PAUSE") {
      let isNumber = pause.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      found.append(("PAUSE", pause, ["--pause=\(pause)\(isNumber ? "s" : "")"]))
    }
    switch value("DELTA") {
    case "yes": break
    // What was kept before there were deltas: each night an archive, compressed as the URL says.
    case nil, "no": found.append(("DELTA", "no", ["--whole"]))
    case let other?: throw Self.wrong("DELTA", other, "give yes or no")
    }
    return found
  }

  /// A number, or options of `sluice keep`.
  private static func retention(_ keep: String, in directory: String) throws -> [String] {
    if keep.utf8.starts(with: "--".utf8) {
      let words = Words(keep).all
      do {
        let command = try KeepCommand.parse([directory] + words)
        guard !command.dryRun, command.name == KeepCommand.defaultName else {
          throw ValidationError("give rules and --gone alone; the name belongs into SLUICE_PULL_NAME")
        }
      } catch { throw wrong("KEEP", keep, KeepCommand.message(for: error)) }
      return words
    }
    guard let count = Int(keep), count > 0, "\(count)" == keep, keep.utf8.count <= maximumDigits else {
      throw wrong("KEEP", keep, "give a number from 1 to 999999, or options of sluice keep")
    }
    return ["--last", keep]
  }

  private static func wrong(_ name: String, _ value: String, _ advice: String) -> ValidationError {
    ValidationError("\(prefix)\(name) is '\(value)': \(advice)")
  }
}
