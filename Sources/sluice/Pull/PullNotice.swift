import HTTP1
import Pull
import System

/// What a message says of a pull: docs/monitoring.md describes its members.
struct PullNotice {
  var event: PullEvent
  var series: String
  var host: String
  /// RFC 3339.
  var time: String
  /// nil at the start.
  var exitStatus: Int32?
  var kept: PullRun.Kept?
  /// One line: what is wrong, or what a success has to say.
  var detail: String?

  /// Of the names that are missing; the count says how many there are.
  private static let maximumNames = 20
  /// Of the detail, in characters.
  private static let maximumDetail = 500

  /// The text, with fewer names and less detail if it would have more bytes than `limit` otherwise.
  func json(atMost limit: Int) -> String {
    var (names, detail) = (Self.maximumNames, Self.maximumDetail)
    while true {
      let text = String(decoding: value(names, detail).encoded(), as: UTF8.self)
      if text.quoted.utf8.count <= limit || names == 0 && detail == 0 { return text }
      (names, detail) = (names / 2, names == 0 ? detail / 2 : detail)
    }
  }

  private func value(_ names: Int, _ length: Int) -> JSONValue {
    let missing = kept?.missing ?? []
    return .object([
      ("event", .string(event.rawValue)),
      ("series", .string(series)),
      ("host", .string(host)),
      ("time", .string(time)),
      ("exit_status", exitStatus.map { .integer(Int($0)) } ?? .null),
      ("file", kept.map { .string($0.path) } ?? .null),
      ("bytes", kept.map { .integer(Int($0.size)) } ?? .null),
      ("missing", .array(missing.prefix(names).map { .string($0) })),
      ("missing_count", .integer(missing.count)),
      ("detail", detail.map { .string(String($0.prefix(length))) } ?? .null),
    ])
  }
}
