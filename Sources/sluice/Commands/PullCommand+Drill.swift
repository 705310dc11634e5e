import Glibc
import Pull
import Restore
import System

/// `sluice pull --drill`.
extension PullCommand {
  /// Where is remembered how it ended: beside the backups, or in the directory that systemd passes, systemd.exec(5),
  /// `StateDirectory=`.
  var recordDirectory: String? {
    if let into { return into }
    return unsafe getenv("STATE_DIRECTORY").map { unsafe String(cString: $0) }
  }

  /// A night is not always exactly a day after the last one.
  private static let drillSlack = Duration.seconds(3600)

  /// Where what this pull keeps can be read again, each a place of its own; none if only commands have it.
  var backupSources: [String] { (into.map { [$0] } ?? []) + destinations.all.compactMap(\.source) }

  /// Beside that of the pull: `app.drill.prom` for `app.prom`.
  var drillTextfile: String? {
    textfile.map { $0.dropLast(Textfile.ending.count) + ".drill" + Textfile.ending }
  }

  /// Runs `sluice drill` for each place whose last one was long ago or has failed, one after the other.
  ///
  /// - Throws: a `Failure` that says what the drills found.
  func drillIfDue(_ isInterrupted: @escaping @Sendable () -> Bool) throws {
    guard let drill, let directory = recordDirectory else { return }
    let sources = backupSources
    var faults: [String] = []
    for (number, source) in zip(1..., sources) {
      let record = DrillPlace.path("\(directory)/\(DrillRecord.name(of: name))", number)
      let shown = PlaceName.withoutPassword(source)
      guard isDue(record, shown, every: drill.value) else { continue }
      let textfile = drillTextfile.map { ["--textfile", DrillPlace.path($0, number)] } ?? []
      let fault = try fault(
        ofDrillFrom: source, ["--name", name, "--state", record] + textfile, record, isInterrupted)
      if let fault { faults.append("the drill \(sources.count > 1 ? "of \(shown) " : "")\(fault)") }
    }
    guard faults.isEmpty else {
      throw Failure(description: "the backup is kept, but \(faults.joined(separator: "; "))")
    }
  }

  private func isDue(_ record: String, _ place: String, every interval: Duration) -> Bool {
    guard let last = try? DrillRecord.read(record), last.result != .failed, last.place ?? place == place,
      let time = Timestamp(last.time)
    else { return true }
    let age = Duration.seconds(Timestamp.now().wholeSeconds - time.wholeSeconds)
    // One that is dated in the future says nothing: a clock was ahead.
    return age >= interval - Self.drillSlack || age + Self.drillSlack <= .zero
  }

  /// Why a drill did not pass; nil if it has.
  private func fault(
    ofDrillFrom source: String, _ options: [String], _ record: String,
    _ isInterrupted: @escaping @Sendable () -> Bool
  ) throws -> String? {
    let end = ContinuousClock.now + GuardedCommand.longestEnd
    let result = try ChildProcess.run(
      "/proc/self/exe",
      ["drill", "--from", source] + options + ["--check-timeout", checkTimeout.defaultValueDescription],
      variables: (BackupStore(source)?.variables ?? .plain).include,
      isInterrupted: { isInterrupted() || ContinuousClock.now > end })
    if isInterrupted() { throw Failure(description: "interrupted amid a drill; the backup is kept") }
    if result.isSuccess { return nil }
    if ContinuousClock.now > end { return GuardedCommand.tooLong }
    let detail = (try? DrillRecord.read(record))?.detail ?? ""
    return (result == .exited(3) ? "found less than before" : "failed")
      + (detail.isEmpty ? "; the line before says why" : ": \(detail)")
  }
}
