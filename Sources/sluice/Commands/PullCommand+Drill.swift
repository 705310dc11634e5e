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

  /// Where what this pull keeps can be read again; nil if only commands have it.
  var backupSource: String? { into ?? destinations.all.compactMap(\.source).first }

  /// Beside that of the pull: `app.drill.prom` for `app.prom`.
  private var drillTextfile: [String] {
    textfile.map { ["--textfile", $0.dropLast(Textfile.ending.count) + ".drill" + Textfile.ending] } ?? []
  }

  /// Runs `sluice drill` if the last one was long ago or has failed.
  ///
  /// - Throws: a `Failure` that says what the drill found.
  func drillIfDue(_ isInterrupted: @escaping @Sendable () -> Bool) throws {
    guard let drill, let backupSource, let directory = recordDirectory else { return }
    let record = "\(directory)/\(DrillRecord.name(of: name))"
    if let last = try? DrillRecord.read(record), last.result != .failed, let time = Timestamp(last.time) {
      let age = Duration.seconds(Timestamp.now().wholeSeconds - time.wholeSeconds)
      // One that is dated in the future says nothing: a clock was ahead.
      if age < drill.value - Self.drillSlack, age + Self.drillSlack > .zero { return }
    }
    let end = try ChildProcess.run(
      "/proc/self/exe",
      ["drill", "--from", backupSource, "--name", name, "--state", record]
        + ["--check-timeout", checkTimeout.defaultValueDescription] + drillTextfile,
      variables: (BackupStore(backupSource)?.variables ?? .plain).include, isInterrupted: isInterrupted)
    guard end.isSuccess else {
      if isInterrupted() { throw Failure(description: "interrupted amid a drill; the backup is kept") }
      let detail = (try? DrillRecord.read(record))?.detail ?? ""
      throw Failure(
        description: "the backup is kept, but the drill "
          + (end == .exited(3) ? "found less than before" : "failed")
          + (detail.isEmpty ? "; the line before says why" : ": \(detail)"))
    }
  }
}
