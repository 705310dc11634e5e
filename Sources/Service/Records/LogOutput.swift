import EventLoop
import Glibc
package import Logging
import System
import Systemd

/// Where log lines go: to the journal with their fields, when it is the journal that reads standard error; else there as
/// plain lines.
///
/// They are written on a thread of their own, since no process may be reading. So many may wait; further ones are counted.
package final class LogOutput: Sendable {
  /// Lines that may wait to be written: a few seconds of the worst that a server logs.
  private static let maximumWaiting = 1000

  private struct Queue {
    var waiting: [Line] = []
    var lost = 0
    var isWriting = false
  }

  /// A message as it came.
  package struct Line {
    package let level: Logger.Level
    package let message: String
    package let fields: [(name: String, value: String)]
    package let time = Timestamp.now().milliseconds
  }

  private let queue = Lock(Queue())
  private let writer: Writer

  /// - Throws: when there is no thread for it.
  package init() throws {
    writer = Writer(try WorkerThread(named: "log"), toJournal: Journal.isStandardError())
  }

  package func append(_ line: Line) {
    let starts = queue.withLock { queue in
      guard queue.waiting.count < Self.maximumWaiting else {
        queue.lost += 1
        return false
      }
      queue.waiting.append(line)
      defer { queue.isWriting = true }
      return !queue.isWriting
    }
    if starts { Loop.start { [self] in await write() } }
  }

  /// Writes what waits, and what comes meanwhile.
  private func write() async {
    while let (lines, lost) = take() {
      await writer.write(lines)
      if lost > 0 {
        await writer.write([
          Line(
            level: .warning, message: "lost log lines: standard error took none",
            fields: [("lines", "\(lost)")])
        ])
      }
    }
  }

  private func take() -> (lines: [Line], lost: Int)? {
    queue.withLock { queue in
      queue.isWriting = !queue.waiting.isEmpty
      guard queue.isWriting else { return nil }
      defer { (queue.waiting, queue.lost) = ([], 0) }
      return (queue.waiting, queue.lost)
    }
  }

  /// Waits until everything has been written, for a while.
  @Loop package func flush() async {
    let deadline = ContinuousClock.now + .seconds(1)
    while queue.withLock({ $0.isWriting }), ContinuousClock.now < deadline {
      await Loop.sleep(for: .milliseconds(1))
    }
  }

  /// Does the writing.
  private actor Writer {
    private nonisolated let worker: WorkerThread
    private let toJournal: Bool

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe worker.asUnownedSerialExecutor() }

    init(_ worker: WorkerThread, toJournal: Bool) {
      self.worker = worker
      self.toJournal = toJournal
    }

    deinit { worker.stop() }

    func write(_ lines: [Line]) {
      for line in lines {
        let isInJournal = toJournal && Journal.send(line.journalFields)
        if !isInJournal { put(line.text, STDERR_FILENO) }
      }
    }
  }
}

extension LogOutput.Line {
  /// The message and its fields, for people: `backup sent client=127.0.0.1:5000 bytes=1024`.
  private var summary: String {
    ([message] + fields.map { "\($0.name)=\(Self.quoted($0.value))" }).joined(separator: " ")
  }

  /// What a name or a client put into a value must not look like another field.
  private static func quoted(_ value: String) -> String {
    guard value.utf8.contains(where: " \"\\=".utf8.contains) else { return value }
    return value.quoted
  }

  var text: String { "\(time) \(level): \(summary)\n" }

  /// `MESSAGE` and `PRIORITY` as the journal knows them, and a field `SLUICE_…` for each of ours.
  var journalFields: [(name: String, value: String)] {
    [("MESSAGE", summary), ("PRIORITY", "\(priority)"), ("SYSLOG_IDENTIFIER", "sluice")]
      + fields.map { ("SLUICE_\($0.name.uppercased())", $0.value) }
  }

  /// syslog(3).
  private var priority: CInt {
    switch level {
    case .trace, .debug: LOG_DEBUG
    case .info: LOG_INFO
    case .notice: LOG_NOTICE
    case .warning: LOG_WARNING
    case .error: LOG_ERR
    case .critical: LOG_CRIT
    }
  }
}

/// What swift-log hands its messages to.
package struct LineLogHandler: LogHandler {
  package let output: LogOutput
  package var logLevel = Logger.Level.info
  package var metadata = Logger.Metadata()

  package init(_ output: LogOutput) { self.output = output }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    let fields = metadata.merging(event.metadata ?? [:]) { $1 }.map { (name: $0.key, value: "\($0.value)") }
    output.append(
      LogOutput.Line(
        level: event.level, message: event.message.description, fields: fields.sorted { $0.name < $1.name }))
  }
}
