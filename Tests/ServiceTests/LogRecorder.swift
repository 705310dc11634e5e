import Logging
import System

/// Keeps what is logged, as `warning: skipped database=a.db reason=locked`.
struct LogRecorder: LogHandler {
  /// What the recorder and its copies have received.
  final class Lines: Sendable {
    private let lines = Lock<[String]>([])

    func append(_ line: String) { lines.withLock { $0.append(line) } }

    var all: [String] { lines.withLock { $0 } }
  }

  let lines: Lines
  var logLevel = Logger.Level.info
  var metadata = Logger.Metadata()

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Without what differs each time.
  func log(event: LogEvent) {
    let fields = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
      .filter { !["backup", "duration_us"].contains($0.key) }.map { " \($0.key)=\($0.value)" }
    lines.append("\(event.level): \(event.message)\(fields.joined())")
  }

  static func logger(_ lines: Lines) -> Logger { Logger(label: "test") { _ in LogRecorder(lines: lines) } }
}
