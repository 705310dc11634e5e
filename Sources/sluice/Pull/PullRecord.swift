import Restore
import System

/// How the last pull of a series ended, for `sluice status --pulls`: a small file of JSON beside the backups, or in the unit's
/// state directory if they are kept elsewhere.
struct PullRecord: Codable, Equatable {
  /// A whole backup that has come.
  struct Whole: Codable, Equatable {
    /// When the pull ended, in RFC 3339.
    var time: String
    var file: String
    var bytes: UInt64
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

  private enum CodingKeys: String, CodingKey {
    case format, time, detail
    case exitStatus = "exit_status"
    case lastWhole = "last_whole"
  }

  init(time: String, exitStatus: Int32, detail: String?, lastWhole: Whole?) {
    self.time = time
    self.exitStatus = exitStatus
    self.detail = detail
    self.lastWhole = lastWhole
  }

  /// More than any that is written here.
  private static let maximumSize = 64 << 10
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

  /// Replaces the record of a series; what the last one says of a whole backup stays if this pull brought none. Without a
  /// record, `sluice status` knows less, and nothing else does: what keeps it from being written is no fault of the pull's.
  static func replace(
    in directory: String, of series: String, status: Int32, _ kept: PullRun.Kept?, detail: String?
  ) {
    let time = Timestamp.now().seconds
    let whole = kept.flatMap { kept in
      status == 0 ? Whole(time: time, file: BytePath(kept.path).name.lossyString, bytes: kept.size) : nil
    }
    let record = PullRecord(
      time: time, exitStatus: status,
      detail: detail.map { String(decoding: $0.utf8.prefix(maximumDetail), as: UTF8.self) },
      lastWhole: whole ?? read(in: directory, of: series)?.lastWhole)
    try? RecordFile.write(record, path(in: directory, of: series))
  }
}
