import System
import TestSupport
import Testing

@testable import Archive
@testable import Restore

struct RestoreJournalTests {
  private func journal(
    suffix: String = ".before-restore-20260131T235959Z", folders: [String] = ["floor_plan"],
    path: String = "floor_plan/a.db", companions: [String] = ["-wal"]
  ) -> RestoreJournal {
    RestoreJournal(
      suffix: BytePath(suffix), newFolders: folders.map { BytePath($0) },
      items: [
        RestoredFile(
          path: BytePath(path), inode: 1, replaced: 2, companions: companions.map { BytePath($0) })
      ])
  }

  @Test func `reads what it has written`() {
    #expect(RestoreJournal(journal().encoded()) == journal())
  }

  @Test(arguments: ["../a.db", "/a.db", "x/../../a.db", "", ".sluice-restore-0/journal"])
  func `refuses a name that leads elsewhere`(_ name: String) {
    #expect(RestoreJournal(journal(path: name).encoded()) == nil)
    #expect(RestoreJournal(journal(folders: [name]).encoded()) == nil)
  }

  @Test(arguments: ["", "/../a", ".before-restore-/../../a"])
  func `refuses a suffix that leads elsewhere`(_ suffix: String) {
    #expect(RestoreJournal(journal(suffix: suffix).encoded()) == nil)
  }

  @Test func `refuses another's companions, formats and half a text`() {
    #expect(RestoreJournal(journal(companions: ["/../a"]).encoded()) == nil)
    var later = journal()
    later.format = 2
    #expect(RestoreJournal(later.encoded()) == nil)
    #expect(RestoreJournal(journal().encoded().dropLast(2) + []) == nil)
  }
}
