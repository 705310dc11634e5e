import System
import Systemd

/// `sluice-pull.service`, or one of its instances, and what its settings say.
struct PullUnit {
  /// Without its suffix: `sluice-pull`, or `sluice-pull@NAME`.
  let name: String
  let settingsPath: BytePath

  private static let plain = "sluice-pull"
  private static let instanceSettings: BytePath = "/etc/sluice/pull.d"
  /// Where the unit's state directories are: systemd.exec(5), `StateDirectory=`.
  private static let states: BytePath = "/var/lib"
  /// More names are not read.
  private static let maximumNames = 100_000
  /// In bytes: more than settings have.
  private static let maximumSettings = 1 << 20

  private init() {
    name = Self.plain
    settingsPath = BytePath("/etc/default/\(Self.plain)")
  }

  init(instance: String) {
    name = "\(Self.plain)@\(instance)"
    settingsPath = Self.instanceSettings.appending(BytePath(instance))
  }

  var stateDirectory: BytePath { Self.states.appending(BytePath(name)) }

  /// Nil if it has no settings, or none that this user can read.
  private func variables() -> [String: String]? {
    (try? SmallFile.read(settingsPath.lossyString, atMost: Self.maximumSettings)).map {
      EnvironmentFile($0).variables
    }
  }

  /// What its settings have for the programs that it runs.
  var programVariables: [String: String] { (variables() ?? [:]).filter { !PullSettings.isOne($0.key) } }

  /// What it runs.
  ///
  /// - Returns: nil if it has no settings, or none that this user can read.
  /// - Throws: an error of the parser, which names the setting.
  func command() throws -> PullCommand? {
    guard let settings = settings() else { return nil }
    return try settings.command()
  }

  private func settings() -> PullSettings? {
    guard var variables = variables() else { return nil }
    variables["STATE_DIRECTORY"] = stateDirectory.lossyString
    let settings = PullSettings(variables)
    return settings.isThere ? settings : nil
  }

  /// Those that have settings or a state directory, sorted; the one that is no instance, if none has.
  static func all() -> [PullUnit] {
    let marks = "\(plain)@"
    let instances = names(in: instanceSettings).filter(PullCommand.isName)
    let states = names(in: states).filter { $0.utf8.starts(with: marks.utf8) }
      .map { String(decoding: $0.utf8.dropFirst(marks.utf8.count), as: UTF8.self) }
    let found = Set(instances + states).sorted().map { PullUnit(instance: $0) }
    let first = PullUnit()
    let isUsed = (try? FileSystem.status(first.stateDirectory)) != nil || first.settings() != nil
    return (found.isEmpty || isUsed ? [first] : []) + found
  }

  private static func names(in directory: BytePath) -> [String] {
    ((try? FileSystem.names(in: directory, limit: maximumNames)) ?? []).compactMap(\.string)
  }
}
