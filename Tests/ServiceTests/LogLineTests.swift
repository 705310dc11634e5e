import Glibc
import Logging
import Testing

@testable import Service

/// A log line as text and as fields of the journal.
struct LogLineTests {
  private func line(_ level: Logger.Level, _ fields: [(name: String, value: String)])
    -> LogOutput.Line
  {
    LogOutput.Line(level: level, message: "backup sent", fields: fields)
  }

  @Test func `has the time, the level, the message and the fields`() {
    let line = line(.notice, [("bytes", "10"), ("client", "127.0.0.1:5000")])
    #expect(line.text == "\(line.time) notice: backup sent bytes=10 client=127.0.0.1:5000\n")
    #expect(line.time.hasSuffix("Z"))
  }

  @Test(arguments: [
    ("a.db", "a.db"), ("", ""), ("a b", #""a b""#), ("a=b", #""a=b""#), (#"a"b"#, #""a\"b""#),
    (#"a\b"#, #""a\\b""#), ("a\"\u{301}", "\"a\\\"\u{301}\""),
  ])
  func `quotes a value that could be read as two fields`(_ value: String, _ text: String) {
    let line = line(.info, [("name", value)])
    #expect(line.text.utf8.elementsEqual("\(line.time) info: backup sent name=\(text)\n".utf8))
  }

  @Test func `gives the journal each field as it is, in capitals`() {
    let fields = line(.info, [("duration_us", "5"), ("name", "a b")]).journalFields
    #expect(
      fields.map { "\($0.name)=\($0.value)" } == [
        #"MESSAGE=backup sent duration_us=5 name="a b""#, "PRIORITY=6", "SYSLOG_IDENTIFIER=sluice",
        "SLUICE_DURATION_US=5", "SLUICE_NAME=a b",
      ])
  }

  @Test(arguments: [
    (Logger.Level.trace, LOG_DEBUG), (.debug, LOG_DEBUG), (.info, LOG_INFO), (.notice, LOG_NOTICE),
    (.warning, LOG_WARNING), (.error, LOG_ERR), (.critical, LOG_CRIT),
  ])
  func `has the priority of syslog`(_ level: Logger.Level, _ priority: CInt) {
    #expect(line(level, []).journalFields[1].value == "\(priority)")
  }
}
