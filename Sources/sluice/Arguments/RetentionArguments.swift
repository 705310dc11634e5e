import ArgumentParser
import Restore

/// The tiers in which backups are kept: the same for every command that removes old ones.
struct RetentionArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Keep the newest N.", valueName: "n"))
  var last = 0

  @Option(help: ArgumentHelp("Keep the newest of each of the last N hours.", valueName: "n"))
  var hourly = 0

  @Option(help: ArgumentHelp("Keep the newest of each of the last N days.", valueName: "n"))
  var daily = 0

  @Option(help: ArgumentHelp("Keep the newest of each of the last N weeks.", valueName: "n"))
  var weekly = 0

  @Option(help: ArgumentHelp("Keep the newest of each of the last N months.", valueName: "n"))
  var monthly = 0

  @Option(help: ArgumentHelp("Keep the newest of each of the last N years.", valueName: "n"))
  var yearly = 0

  @Option(
    help: ArgumentHelp(
      "Shell pattern of databases that the application removes on purpose. If they are gone, old backups "
        + "are removed all the same. It is matched against the path and against its last name; may be repeated.",
      valueName: "pattern"))
  var gone: [String] = []

  /// The options, for a message.
  static let names = "--last, --hourly, --daily, --weekly, --monthly or --yearly"

  /// How many backups each tier keeps.
  var counts: [Retention.Rule: Int] {
    [.last: last, .hourly: hourly, .daily: daily, .weekly: weekly, .monthly: monthly, .yearly: yearly]
  }

  /// Whether there is no tier: nothing is to be removed.
  var isEmpty: Bool { counts.values.allSatisfy { $0 == 0 } }

  /// The same options for `sluice keep`; none if nothing is to be removed.
  var keepOptions: [String] {
    guard !isEmpty else { return [] }
    let counts = counts
    return Retention.Rule.allCases.flatMap { ["--\($0)", "\(counts[$0] ?? 0)"] } + gone.map { "--gone=\($0)" }
  }

  func validate() throws {
    for rule in Retention.Rule.allCases {
      guard let count = counts[rule], count < 0 else { continue }
      throw ValidationError("--\(rule) \(count): give a number from 0 on")
    }
    guard gone.isEmpty || !isEmpty else { throw ValidationError("--gone: give \(Self.names), too") }
  }
}
