import Archive
import HTTP1
import System

/// `/status.json`. docs/status.schema.json describes it.
extension StatusReport {
  /// Of the document. What a later version adds changes nothing; what it removes or changes makes it another format.
  package static let format = 1
  package static let mediaType = "application/json"

  package var content: [UInt8] {
    JSONValue.object([
      ("format", .integer(Self.format)),
      ("name", .string(name)),
      ("version", .string(version)),
      ("status", .string(status)),
      ("detail", detail.map(JSONValue.string) ?? .null),
      ("time", .integer(now)),
      ("uptime_seconds", .integer(Int(uptime.components.seconds))),
      ("needs_token", .bool(needsToken)),
      ("maximum_backups", .integer(slotCount)),
      ("tag", .string(tag)),
      ("last_complete", state.lastComplete.map(json) ?? .null),
      ("under_way", .array(underWay.map(json))),
      ("history", .array(state.history.map(json))),
      ("directory", directory.map(json) ?? .null),
    ]).encoded() + [UInt8(ascii: "\n")]
  }

  private func json(_ backup: UnderWay) -> JSONValue {
    .object([
      ("id", .string(backup.id)),
      ("client", .string(printable(backup.client))),
      ("phase", .string(backup.phase.rawValue)),
      ("scope", .string(scope(backup.isSelection))),
      ("age_seconds", .integer(Int(backup.age.components.seconds))),
      ("sent_bytes", number(backup.sent)),
      ("archive_bytes", backup.archiveSize.map(number) ?? .null),
      ("read_bytes", number(backup.contentRead)),
      ("content_bytes", backup.contentSize.map(number) ?? .null),
      ("progress_permille", backup.thousandths.map(JSONValue.integer) ?? .null),
      ("snapshot_age_seconds", backup.snapshotAge.map { .integer(Int($0.components.seconds)) } ?? .null),
      ("wal_growth_bytes", number(backup.walGrowth)),
      ("resumable_seconds", backup.resumableFor.map { .integer(Int($0.components.seconds)) } ?? .null),
    ])
  }

  private func json(_ backup: ServiceState.Complete) -> JSONValue {
    .object([
      ("ended", .integer(backup.ended)),
      ("databases", .integer(backup.databases)),
      ("bytes", backup.bytes.map(number) ?? .null),
      ("snapshot_skew_ms", milliseconds(backup.skewMilliseconds)),
    ])
  }

  private func json(_ backup: ServiceState.PastBackup) -> JSONValue {
    .object([
      ("ended", .integer(backup.ended)),
      ("outcome", .string(backup.outcome.rawValue)),
      ("reason", backup.reason.map(JSONValue.string) ?? .null),
      ("scope", .string(scope(backup.isSelection))),
      ("bytes", number(backup.bytes)),
      ("duration_ms", .integer(backup.milliseconds)),
      ("databases", backup.databases.map(JSONValue.integer) ?? .null),
      ("skipped", backup.skipped.map(JSONValue.integer) ?? .null),
      ("snapshot_skew_ms", milliseconds(backup.skewMilliseconds)),
    ])
  }

  private func json(_ directory: OverviewCache.Known) -> JSONValue {
    let overview = directory.overview
    return .object([
      ("problem", directory.problem.map(JSONValue.string) ?? .null),
      ("listed", overview.map { .integer(Int($0.takenAt / 1_000_000_000)) } ?? .null),
      (
        "databases",
        .array(
          (overview?.databases ?? []).map { database in
            .object([
              ("path", .string(database.path)),
              ("bytes", number(database.size)),
              ("journal_mode", .string(database.journalMode)),
              ("wal_bytes", number(database.walSize)),
              ("last_backup", state.databaseTimes[database.path].map(JSONValue.integer) ?? .null),
            ])
          })
      ),
      ("files", .integer(overview?.fileCount ?? 0)),
      ("file_bytes", number(overview?.fileBytes ?? 0)),
      (
        "skipped",
        .array(
          (overview?.skipped ?? []).map { skipped in
            .object([
              ("path", .string(skipped.path)),
              ("reason", .string(skipped.reason)),
              ("detail", .string(advice.added(to: skipped.detail, for: skipped.reason))),
            ])
          })
      ),
      ("excluded", .array((overview?.excluded ?? []).map(JSONValue.string))),
    ])
  }

  private func scope(_ isSelection: Bool) -> String { isSelection ? "selection" : "directory" }

  private func number(_ value: UInt64) -> JSONValue { .integer(Int(clamping: value)) }

  private func milliseconds(_ value: Double?) -> JSONValue {
    value.map { .integer(Int($0.rounded(.up))) } ?? .null
  }
}
