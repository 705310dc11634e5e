package import HTTP1
import System

/// What `GET /healthz` shows: whether a backup could be made now, and would have a database in it.
package struct HealthReport {
  package var version: String
  package var state: ServiceState
  package var problem: DirectoryCheck.Problem?
  package var uptime: Duration
  package var running: Int
  /// What an administrator can do about the problem.
  package var advice = Advice()
  /// Seconds since 1970.
  package var now = Int(FileSystem.now() / 1_000_000_000)

  package var status: Status { problem == nil ? .ok : .serviceUnavailable }

  package var content: [UInt8] {
    var members: [(name: String, value: JSONValue)] = [
      ("status", .string(problem?.status ?? "ok")),
      ("version", .string(version)),
      ("uptime_seconds", .integer(Int(uptime.components.seconds))),
      ("running_backups", .integer(running)),
      ("last_backup", state.lastBackup.map(json) ?? .null),
      ("last_complete", state.lastComplete.map(json) ?? .null),
    ]
    if let problem {
      members.append(("detail", .string(advice.added(to: problem.detail, for: problem.reason))))
    }
    return JSONValue.object(members).encoded() + [UInt8(ascii: "\n")]
  }

  private func json(_ backup: ServiceState.Backup) -> JSONValue {
    .object([
      ("outcome", .string(backup.outcome.rawValue)),
      ("scope", .string(backup.isSelection ? "selection" : "directory")),
      ("bytes", .integer(Int(backup.bytes))),
      ("seconds_ago", .integer(seconds(since: backup.ended))),
    ])
  }

  private func json(_ backup: ServiceState.Complete) -> JSONValue {
    var members: [(name: String, value: JSONValue)] = [
      ("timestamp", .integer(backup.ended)), ("seconds_ago", .integer(seconds(since: backup.ended))),
      ("databases", .integer(backup.databases)),
    ]
    if let bytes = backup.bytes { members.append(("bytes", .integer(Int(bytes)))) }
    if let skew = backup.skewMilliseconds {
      members.append(("snapshot_skew_ms", .integer(Int(skew.rounded(.up)))))
    }
    return .object(members)
  }

  /// Not below 0: a clock may have been set back.
  private func seconds(since time: Int) -> Int { max(0, now - time) }
}
