import ArgumentParser
import Pull
import System

/// Where kept backups are read from: the same for every command that does so.
struct SourceArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Take the newest backup that verifies from here: a directory, restic:REPO, borg:REPO or rclone:REMOTE:PATH.",
      valueName: "source"), completion: .directory)
  var from: String?

  @Option(help: ArgumentHelp("What the names of the backups begin with.", valueName: "name"))
  var name = KeepCommand.defaultName

  @Option(
    help: ArgumentHelp(
      "The newest at or before this time: 2026-11-28T03:15:00Z, or with an offset such as +01:00. A backup of exactly this "
        + "time is taken whatever it is.", valueName: "date-time"))
  var at: PointInTime?

  @Option(
    help: ArgumentHelp(
      "Directory for an archive that restic, borg or rclone reads, and for checks that keep nothing.",
      valueName: "dir"),
    completion: .directory)
  var spoolDirectory = ArchiveArguments.defaultSpoolDirectory

  func validate() throws {
    if let from, BackupStore(from) == nil {
      throw ValidationError("--from \(from): give a directory, restic:REPO, borg:REPO or rclone:REMOTE:PATH")
    }
    guard !name.isEmpty, !name.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "/") }) else {
      throw ValidationError("--name \(name): give what the names of the backups begin with, such as backup")
    }
  }

  /// Nil without `--from`.
  func source(isInterrupted: @escaping @Sendable () -> Bool) -> BackupSource? {
    guard let from, let store = BackupStore(from) else { return nil }
    return BackupSource(
      store: store, shown: PlaceName.withoutPassword(from), series: name, spoolDirectory: spoolDirectory,
      isInterrupted: isInterrupted)
  }
}

/// An instant on the command line, as ISO 8601 has it, in UTC or with an offset from it; `2026-11-28T031502Z`, too, as in the
/// names of backups.
struct PointInTime: ExpressibleByArgument {
  let value: Timestamp

  init?(argument: String) {
    if let value = Timestamp(argument) ?? Timestamp(inFileName: argument) {
      self.value = value
      return
    }
    // 2026-11-28T04:15:02+01:00
    let bytes = Array(argument.utf8)
    guard bytes.count > 6, let sign = [UInt8(ascii: "+"): -1, UInt8(ascii: "-"): 1][bytes[bytes.count - 6]],
      bytes[bytes.count - 3] == UInt8(ascii: ":"),
      let local = Timestamp(String(decoding: bytes.dropLast(6), as: UTF8.self) + "Z"),
      let hours = Int64(String(decoding: bytes.suffix(5).prefix(2), as: UTF8.self)), (0...23).contains(hours),
      let minutes = Int64(String(decoding: bytes.suffix(2), as: UTF8.self)), (0...59).contains(minutes)
    else { return nil }
    value = Timestamp(seconds: local.wholeSeconds + Int64(sign) * (hours * 3600 + minutes * 60))
  }
}
