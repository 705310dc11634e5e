import Restore
import System

/// How the last pull of a series ended, for `sluice status --pulls`: a small file of JSON beside the backups, or in the unit's
/// state directory if they are kept elsewhere.
struct PullRecord: Codable, Equatable {
  /// A whole backup that is kept, whatever else failed: a drill, a second destination, the removal of old ones.
  struct Whole: Codable, Equatable {
    /// When the pull ended, in RFC 3339.
    var time: String
    var file: String
    var bytes: UInt64
  }

  /// The last good backup that engines have: whole, and with every database that the one before had.
  struct Good: Codable, Equatable {
    var file: String
    /// Sorted; those with a table.
    var databases: [BytePath]
  }

  private var format = 1
  /// When it ended, in RFC 3339.
  var time: String
  /// Of `sluice pull`.
  var exitStatus: Int32
  /// Why it is not 0.
  var detail: String?
  /// Of this pull, or of an earlier one.
  var lastWhole: Whole?
  /// Of a pull without `--into`: with a directory, `sluice keep` reads the backups themselves.
  var lastGood: Good?

  private enum CodingKeys: String, CodingKey {
    case format, time, detail
    case exitStatus = "exit_status"
    case lastWhole = "last_whole"
    case lastGood = "last_good"
  }

  /// More than any that is written here: names of databases, and 64 KiB for the rest.
  private static let maximumSize = ArchiveInventory.maximumSize + 64 << 10
  /// In bytes: the journal has the rest.
  private static let maximumDetail = 1000

  private static func path(in directory: String, of series: String) -> String {
    "\(directory)/.\(series).pull.json"
  }

  /// Nil if there is none that can be read.
  static func read(in directory: String, of series: String) -> PullRecord? {
    let record = try? RecordFile.read(Self.self, path(in: directory, of: series), atMost: maximumSize)
    return record?.format == 1 ? record : nil
  }

  /// Replaces the record of a series; what the last one says of a whole or a good backup stays if this pull kept none.
  /// If it cannot be written, `sluice status` knows less; that a good backup cannot be remembered is a warning.
  static func replace(
    in directory: String, of series: String, status: Int32, _ kept: PullRun.Kept?, detail: String?
  ) {
    let time = Timestamp.now().seconds
    let whole = kept.flatMap { kept in
      kept.worth == .whole
        ? Whole(time: time, file: BytePath(kept.path).name.lossyString, bytes: kept.size) : nil
    }
    let last = read(in: directory, of: series)
    let record = PullRecord(
      time: time, exitStatus: status,
      detail: detail.map { String(decoding: $0.utf8.prefix(maximumDetail), as: UTF8.self) },
      lastWhole: whole ?? last?.lastWhole, lastGood: kept?.good ?? last?.lastGood)
    let path = path(in: directory, of: series)
    do throws(SystemError) { try RecordFile.write(record, path) } catch {
      guard kept?.good != nil else { return }
      printError("sluice: warning: \(printable(path)) cannot be written: \(error)")
    }
  }
}
