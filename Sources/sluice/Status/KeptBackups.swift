import Pull
import Restore
import System

/// The backups that `sluice pull` keeps in a directory, by their names alone: `NAME-2026-11-28T031502Z.zip`, with `-incomplete`
/// or `-unverified` after the time if they are not known to be whole.
struct KeptBackups {
  /// One series.
  struct Series {
    let name: String
    /// All of them, as `Retention` reads them.
    var files: [(name: BytePath, time: Timestamp, modified: Timestamp, isWhole: Bool)] = []
    /// How many are whole.
    var count: Int { files.count { $0.isWhole } }
    /// The newest that is whole: when it was made or last found unchanged, in seconds since 1970, and its bytes.
    var last: (time: Int64, file: String, bytes: UInt64)?
    /// The newest that is not: its word.
    var lastOther: (time: Int64, word: String)?

    /// Why the last run has brought no whole one; nil if it has.
    var newerFault: String? {
      guard let lastOther, lastOther.time > last?.time ?? .min else { return nil }
      return lastOther.word
    }
  }

  /// By their names.
  let series: [Series]

  /// - Throws: `SystemError` when the directory cannot be read.
  init(in directory: String) throws(SystemError) {
    var found: [String: Series] = [:]
    let latest = Timestamp.now().wholeSeconds + Timestamp.drift
    for name in try BackupSeries.names(in: BytePath(directory)) {
      guard let text = name.string, let parts = BackupName(text) else { continue }
      let time = parts.time.wholeSeconds
      let status = try? FileSystem.status(BytePath("\(directory)/\(text)"))
      var series = found[parts.series] ?? Series(name: parts.series)
      series.files.append(
        (name, parts.time, status.map { Timestamp($0.modifiedAt) } ?? parts.time, parts.word == nil))
      if time > latest {
        // A clock was ahead: it is among the files, and no news.
      } else if let word = parts.word {
        if time > series.lastOther?.time ?? .min { series.lastOther = (time, word) }
      } else if time > series.last?.time ?? .min, let status, status.kind == .regular {
        series.last = (time, text, status.size)
      }
      found[parts.series] = series
    }
    series = found.values.sorted { $0.name < $1.name }.map { Self.confirmed($0, in: directory) }
  }

  /// A pull that finds nothing changed makes no new file: it verifies the last one and writes its record again.
  private static func confirmed(_ series: Series, in directory: String) -> Series {
    guard let last = series.last, let record = BaseRecord.read(in: directory, of: series.name),
      record.file == last.file,
      let status = try? FileSystem.status("\(directory)/\(BaseRecord.name(of: series.name))"),
      status.modifiedAt.seconds <= Timestamp.now().wholeSeconds + Timestamp.drift
    else { return series }
    var series = series
    series.last?.time = max(last.time, status.modifiedAt.seconds)
    return series
  }
}
