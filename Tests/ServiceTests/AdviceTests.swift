@testable import Archive
import Service
import Testing

struct AdviceTests {
  private let advice = Advice(["low-space": "see LIMIT"])

  @Test func `adds what an administrator can do to the fact, by its reason`() {
    #expect(advice.added(to: "full", for: "low-space") == "full; see LIMIT")
    #expect(advice.added(to: "gone", for: "missing") == "gone")
  }

  @Test(arguments: [
    BackupError.snapshotTooOld(limit: .seconds(1)), .walGrewTooMuch(path: "a.db", limit: 1),
    .spaceLow(path: "a.db", available: 1, needed: 2),
  ])
  func `the library names no option`(_ error: BackupError) {
    #expect(!"\(error)".contains("--"))
  }
}
