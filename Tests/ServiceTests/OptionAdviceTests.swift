@testable import Archive
import Service
import Testing

struct OptionAdviceTests {
  @Test func `names the option that sets a limit`() {
    let errors: [(BackupError, String)] = [
      (.snapshotTooOld(limit: .seconds(1)), "--max-snapshot-age"),
      (.walGrewTooMuch(path: "a.db", limit: 1), "--max-wal-growth"),
      (.spaceLow(path: "a.db", available: 1, needed: 2), "--min-free"),
    ]
    for (error, option) in errors {
      #expect(error.advice == "\(error); see \(option)")
      #expect(!"\(error)".contains("--"), "the library knows no options")
    }
    #expect(BackupError.cancelled.advice == "\(BackupError.cancelled)")
  }

  @Test(arguments: [
    ("locked", "; see --busy-timeout"), ("spool-full", "; see --spool-directory"), ("missing", ""),
  ])
  func `names the option that has to do with what was skipped`(_ reason: String, _ end: String) {
    #expect(Skipped(path: "a.db", reason: reason, detail: "words").advice == "words" + end)
  }
}
