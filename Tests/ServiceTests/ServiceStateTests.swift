@testable import Service
import Testing

/// What outlives the process, and the text that keeps it.
struct ServiceStateTests {
  private static let directory = "/data"

  private var state: ServiceState {
    var state = ServiceState(dataDirectory: Self.directory)
    state.counts.started = 5
    state.counts.rejected["unauthorized"] = 2
    state.counts.leftWALs = 3
    state.counts.seconds = 1.5
    state.add(backup(.complete), at: 100)
    return state
  }

  private func backup(
    _ outcome: BackupOutcome, tag: String = "a-1", reason: String? = nil, isSelection: Bool = false
  ) -> EndedBackup {
    EndedBackup(
      outcome: outcome, reason: reason, isSelection: isSelection, bytesRead: 20, bytesSent: 10,
      duration: .seconds(1), archive: archive(tag))
  }

  private func archive(_ tag: String) -> EndedBackup.Archive {
    EndedBackup.Archive(
      state: "a", tag: tag, databases: ["a.db", "b.db"], skipped: 0, skewMilliseconds: 4)
  }

  private func read(_ text: String) throws -> ServiceState {
    try ServiceState(Array(text.utf8), of: Self.directory)
  }

  private var text: String { String(decoding: state.encoded(), as: UTF8.self) }

  @Test func `is read as it was written`() throws {
    #expect(try read(text) == state)
    #expect(text.hasSuffix("}\n"))
  }

  @Test(arguments: [
    "started", "completed", "selected", "aborted", "rejected", "unchanged", "resumed", "seconds", "left_wals",
    "bytes_read", "bytes_sent",
  ])
  func `a counter that is not there is 0`(_ name: String) throws {
    let lacking = text.replacing("\"\(name)\" :", with: "\"unknown\" :")
    #expect(lacking != text)
    var counts = state.counts
    let none = ServiceState.Counts()
    switch name {
    case "started": counts.started = none.started
    case "completed": counts.completed = none.completed
    case "selected": counts.selected = none.selected
    case "aborted": counts.aborted = none.aborted
    case "rejected": counts.rejected = none.rejected
    case "unchanged": counts.unchanged = none.unchanged
    case "resumed": counts.resumed = none.resumed
    case "seconds": counts.seconds = none.seconds
    case "left_wals": counts.leftWALs = none.leftWALs
    case "bytes_read": counts.bytesRead = none.bytesRead
    default: counts.bytesSent = none.bytesSent
    }
    let found = try read(lacking)
    #expect(found.counts == counts)
    #expect(found.lastComplete == state.lastComplete)
  }

  @Test func `so is one of a table`() throws {
    let lacking = text.replacing("\"misdirected\" : 0,", with: "")
    #expect(lacking != text)
    #expect(try read(lacking) == state)
  }

  @Test(arguments: [
    ("", ServiceStateError.damaged), ("{", .damaged), ("[]", .damaged), (#"{"format" : 1}"#, .damaged),
    (#"{"format" : 2}"#, .unknownFormat(2)),
  ])
  func `refuses what is no state of this program`(_ text: String, _ error: ServiceStateError) {
    #expect(throws: error) { try read(text) }
  }

  @Test(arguments: [
    (#""started" : 5"#, #""started" : -1"#), (#""started" : 5"#, #""started" : 9007199254740993"#),
    (#""started" : 5"#, #""started" : null"#), (#""started" : 5"#, #""started" : "5""#),
    (#""unauthorized""#, #""un\"}authorized""#), (#""tag" : "a-1""#, #""tag" : """#),
    (#""outcome" : "complete""#, #""outcome" : "other""#),
  ])
  func `refuses what cannot be counted on`(_ part: String, _ other: String) {
    let changed = text.replacing(part, with: other)
    #expect(changed != text)
    #expect(throws: ServiceStateError.damaged) { try read(changed) }
  }

  @Test func `is of one directory`() {
    #expect(throws: ServiceStateError.otherDirectory) { try ServiceState(state.encoded(), of: "/other") }
  }

  @Test func `counts each backup once`() {
    var state = ServiceState(dataDirectory: Self.directory)
    state.add(backup(.complete), at: 1)
    state.add(backup(.incomplete), at: 2)
    state.add(backup(.complete, isSelection: true), at: 3)
    state.add(backup(.failed, tag: "a-2", reason: "low-space"), at: 4)
    #expect(state.counts.completed == ["complete": 1, "incomplete": 1])
    #expect(state.counts.selected == ["complete": 1, "incomplete": 0])
    #expect(state.counts.aborted.filter { $0.value > 0 } == ["low-space": 1])
    #expect(state.counts.bytesRead == 80)
    #expect(state.counts.bytesSent == 40)
    #expect(state.counts.seconds == 4)
    #expect(state.lastBackup?.ended == 4)
    #expect(state.lastComplete?.ended == 1)
    #expect(state.unfinishedTags == ["a-2"])
  }

  @Test func `a client that presents a tag has that archive, unless it was not sent to its end`() {
    var state = ServiceState(dataDirectory: Self.directory)
    state.add(backup(.failed, tag: "a-1", reason: "client-left"), at: 1)
    state.addCurrent(archive("a-3"), "a-1", at: 2)
    #expect(state.lastComplete == nil)
    state.addCurrent(archive("a-3"), "a-2", at: 3)
    #expect(state.lastComplete?.ended == 3)
    #expect(state.lastComplete?.bytes == nil)
    state.add(backup(.complete, tag: "a-3"), at: 4)
    state.addCurrent(archive("a-4"), "a-2", at: 5)
    #expect(state.lastComplete?.ended == 5)
    #expect(state.lastComplete?.bytes == 10)
  }

  @Test func `remembers the newest tags that were not sent to their end`() {
    var state = ServiceState(dataDirectory: Self.directory)
    for index in 0...ServiceState.maximumUnfinishedTags {
      state.add(backup(.ranges, tag: "a-\(index)"), at: index)
    }
    #expect(state.unfinishedTags.count == ServiceState.maximumUnfinishedTags)
    #expect(state.unfinishedTags.first == "a-1")
    #expect(throws: Never.self) { try read(String(decoding: state.encoded(), as: UTF8.self)) }
  }

  @Test func `a tag is unfinished from the beginning of its backup to its end`() {
    var state = self.state
    for outcome in [BackupOutcome.complete, .incomplete] {
      state.addUnfinished("a-2")
      state.addCurrent(archive("a-3"), "a-2", at: 200)
      #expect(state.lastComplete?.ended == 100)
      state.add(backup(outcome, tag: "a-2"), at: 100)
      #expect(state.unfinishedTags.isEmpty)
    }
    state.addUnfinished("a-2")
    state.addUnfinished("a-3")
    state.add(backup(.failed, tag: "a-2", reason: "client-left"), at: 300)
    #expect(state.unfinishedTags == ["a-3", "a-2"])
    for index in 0..<100 { state.addUnfinished("b-\(index)") }
    #expect(state.unfinishedTags.count == ServiceState.maximumUnfinishedTags)
  }

  @Test func `remembers when each database was last sent`() throws {
    var state = self.state
    var selection = backup(.complete, isSelection: true)
    selection.archive?.databases = ["c.db"]
    state.add(selection, at: 200)
    #expect(state.databaseTimes == ["a.db": 100, "b.db": 100, "c.db": 200])
    // What was not sent to its end does not count, and what was skipped keeps its time.
    state.add(backup(.failed, reason: "client-left"), at: 300)
    state.add(backup(.ranges), at: 300)
    var incomplete = backup(.incomplete)
    incomplete.archive?.databases = ["a.db"]
    state.add(incomplete, at: 400)
    #expect(state.databaseTimes == ["a.db": 400, "b.db": 100, "c.db": 200])
    // Of a whole directory, what is gone is forgotten.
    state.add(backup(.complete), at: 500)
    #expect(state.databaseTimes == ["a.db": 500, "b.db": 500])
    state.addCurrent(archive("a-1"), "b-9", at: 600)
    #expect(state.databaseTimes == ["a.db": 600, "b.db": 600])
  }

  @Test func `shows the last thirty backups`() throws {
    var state = ServiceState(dataDirectory: Self.directory)
    for time in 1...40 { state.add(backup(.complete), at: time) }
    #expect(state.history.map(\.ended) == Array(11...40))
    #expect(try ServiceState(state.encoded(), of: Self.directory) == state)
    #expect(state.history.last?.milliseconds == 1000)
  }

  @Test func `reads what an earlier version has written`() throws {
    let text = #"""
      {"format": 1, "data_directory": "/data", "counts": {"started": 2}, "unfinished_tags": []}
      """#
    let state = try read(text)
    #expect(state.counts.started == 2)
    #expect(state.history.isEmpty && state.databaseTimes.isEmpty)
  }

  @Test(arguments: [
    #""history": [{}]"#, #""history": 1"#, #""database_times": {"a.db": -1}"#, #""database_times": []"#,
  ])
  func `refuses a history that is none`(_ member: String) {
    let text = #"{"format": 1, "data_directory": "/data", "counts": {}, "unfinished_tags": [], \#(member)}"#
    #expect(throws: ServiceStateError.damaged) { try read(text) }
  }
}
