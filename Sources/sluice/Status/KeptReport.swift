import ArgumentParser
import HTTP1
import Restore
import Service
import System

/// How the backups are that are kept on this machine.
struct KeptReport {
  /// What is known of one series from beside its backups.
  private struct Facts {
    let name: String
    /// Whether the archives lie here: else programs have them, and only the records are here.
    let isHere: Bool
    let series: KeptBackups.Series
    /// With how many each keeps; nil where a program keeps them, which is not asked.
    let tiers: [(rule: Retention.Rule, kept: Int?, limit: Int)]
    /// Which programs have them.
    let programs: [String]
    let pull: PullRecord?
    let drills: [LastDrill]

    /// The last whole one, in seconds since 1970, and its bytes.
    var last: (time: Int64, file: String, bytes: UInt64)? {
      guard !isHere else { return series.last }
      return pull?.lastWhole.flatMap { whole in
        Timestamp(whole.time).map { ($0.wholeSeconds, whole.file, whole.bytes) }
      }
    }

    init(_ directory: String, _ series: KeptBackups.Series, _ command: PullCommand?, isHere: Bool) {
      name = series.name
      self.isHere = isHere
      self.series = series
      let counts = (command?.retention.counts ?? [:]).filter { $0.value > 0 }
      if isHere {
        tiers =
          counts.isEmpty
          ? [] : Retention(counts).fill(series.files, now: .now()).map { ($0.rule, $0.kept, $0.limit) }
      } else {
        tiers = Retention.Rule.allCases.compactMap { rule in counts[rule].map { (rule, nil, $0) } }
      }
      let kinds = (command?.destinations.all ?? []).map {
        $0.kind == .command ? "a command" : $0.kind.rawValue
      }
      programs = kinds.enumerated().filter { !kinds[..<$0.offset].contains($0.element) }.map(\.element)
      pull = PullRecord.read(in: directory, of: name)
      drills = LastDrill.all(in: directory, of: series.name, command)
    }
  }

  private let maxAge: Duration
  private let now = Timestamp.now().wholeSeconds

  /// - Parameter maxAge: of the last whole backup.
  init(maxAge: Duration) { self.maxAge = maxAge }

  /// - Parameter directories: none for those of the unit and of its instances.
  func rows(_ directories: [String]) -> [StatusRow] {
    guard directories.isEmpty else { return directories.flatMap { rows(of: nil, in: $0) } }
    return PullUnit.all().flatMap { unit in
      do {
        let command = try unit.command()
        return rows(of: command, in: command?.into ?? unit.stateDirectory.lossyString)
      } catch {
        let message = PullCommand.message(for: error).split(separator: "\n").first.map(String.init)
        return [failed(unit.settingsPath.lossyString, message ?? "it cannot be read")]
      }
    }
  }

  /// - Parameter command: what keeps them; nil if that is not known: then each series is shown.
  private func rows(of command: PullCommand?, in directory: String) -> [StatusRow] {
    let none = command.map { KeptBackups.Series(name: $0.name) }
    if let command, let none, command.into == nil {
      return [row(directory, Facts(directory, none, command, isHere: false))]
    }
    do throws(SystemError) {
      let all = try KeptBackups(in: directory).series
      let found = none.map { none in [all.first { $0.name == none.name } ?? none] } ?? all
      guard !found.isEmpty else { return [failed(directory, "there is no backup of sluice pull")] }
      return found.map { row(directory, Facts(directory, $0, command, isHere: true)) }
    } catch {
      return [failed(directory, "\(error)")]
    }
  }

  private func failed(_ name: String, _ problem: String) -> StatusRow {
    StatusRow(
      name: name, code: 1, words: "FAILED: \(problem)",
      json: Self.text(
        Self.keys.map { ($0, $0 == "directory" ? .string(name) : $0 == "problem" ? .string(problem) : .null) }
      ))
  }

  private func row(_ directory: String, _ facts: Facts) -> StatusRow {
    let last = facts.last
    let isLate = last.map { Duration.seconds(now - $0.time) > maxAge } ?? true
    let fault = facts.series.newerFault
    // What is incomplete or unverified is there, and is named already.
    let failure = facts.pull.flatMap { $0.exitStatus == 0 || fault != nil ? nil : $0 }
    var words = [
      last.map {
        "last whole backup \(isLate ? "LATE, " : "")\(age($0.time)) ago, \(PageWords.size($0.bytes))"
      } ?? "NO whole backup",
      (facts.isHere ? "\(facts.series.count) kept" : "kept by \(facts.programs.joined(separator: " and "))")
        + Self.words(facts.tiers),
    ]
    if let fault { words.append("a newer one is \(fault.uppercased())") }
    if let failure {
      let ago = Timestamp(failure.time).map { " \(age($0.wholeSeconds)) ago" } ?? ""
      words.append(
        "the last pull FAILED\(ago): \(failure.detail ?? "exit status \(failure.exitStatus)")")
    }
    words += facts.drills.compactMap { drill in
      drill.words(now, isAmongSeveral: facts.drills.count > 1, hasBackup: last != nil)
    }
    let codes = facts.drills.map { $0.code(now) }
    return StatusRow(
      name: "\(directory): \(facts.name)",
      code: isLate || codes.contains(1)
        ? 1 : fault == nil && failure == nil && !codes.contains(3) ? 0 : 3,
      words: words.joined(separator: "; "), json: json(directory, facts))
  }

  private func age(_ time: Int64) -> String { PageWords.age(Int(now - time)) }

  /// Each with how many it keeps of those that it may keep: ` (last 14 of 14, monthly 3 of 12)`; ` (last 14)` if that is not
  /// known.
  private static func words(_ tiers: [(rule: Retention.Rule, kept: Int?, limit: Int)]) -> String {
    guard !tiers.isEmpty else { return "" }
    let each = tiers.map { tier in "\(tier.rule) \(tier.kept.map { "\($0) of " } ?? "")\(tier.limit)" }
    return " (\(each.joined(separator: ", ")))"
  }

  // MARK: JSON

  private static let keys = [
    "directory", "problem", "name", "whole", "tiers", "last", "pull", "drills", "newer",
  ]

  private static func text(_ fields: [(String, JSONValue)]) -> String {
    String(decoding: JSONValue.object(fields).encoded(), as: UTF8.self)
  }

  private func json(_ directory: String, _ facts: Facts) -> String {
    let values: [JSONValue] = [
      .string(directory), .null, .string(facts.name),
      facts.isHere ? .integer(facts.series.count) : .null,
      .object(
        facts.tiers.map { rule, kept, limit in
          (
            rule.rawValue,
            .object([("kept", kept.map(JSONValue.integer) ?? .null), ("limit", .integer(limit))])
          )
        }),
      facts.last.map {
        .object([
          ("time", .integer(Int($0.time))), ("file", .string($0.file)), ("bytes", .integer(Int($0.bytes))),
        ])
      } ?? .null,
      facts.pull.map {
        .object([
          ("time", .string($0.time)), ("exit_status", .integer(Int($0.exitStatus))),
          ("detail", $0.detail.map(JSONValue.string) ?? .null),
        ])
      } ?? .null,
      .array(facts.drills.compactMap(\.json)),
      facts.series.newerFault.map(JSONValue.string) ?? .null,
    ]
    return Self.text(Array(zip(Self.keys, values)))
  }
}
