import System
import EventLoop
import Foundation
import TestSupport
import Testing

@testable import Archive
@testable import Restore

struct RestoreTransactionTests {
  /// What a file system that folds names has: two entries, and one name for both.
  @Test(arguments: [[], ["a.db"], ["a.db", "a.db-wal"]], [false, true])
  func `goes back when two entries have one name`(_ present: [String], _ isResumed: Bool) throws {
    let folder = try Folder()
    for name in present { try folder.write(name, Array("old \(name)".utf8)) }
    let target = try RestoreTarget(path: folder.path)
    let staging = try RestoreStaging(in: target)
    var journal = RestoreJournal(suffix: ".before-restore-20260131T235959Z", newFolders: [], items: [])
    for index in 0..<2 {
      let file = try staging.directory.makeFile(RestoreJournal.stagedName(index))
      journal.items.append(
        RestoredFile(
          path: "a.db", inode: try file.status().identity.inode,
          replaced: try target.directory.status("a.db")?.identity.inode,
          companions: RestoredFile.companionSuffixes))
    }
    try staging.write(journal)
    let transaction = RestoreTransaction(
      target: target, staging: staging.directory, stagingName: staging.name, journal: journal,
      isResumed: isResumed)
    #expect { try transaction.commit() } throws: {
      switch $0 as? RestoreError {
      case .sharedName("a.db")?: !isResumed
      case .rolledBack?: isResumed
      default: false
      }
    }
    staging.remove()
    #expect(try target.directory.names().sorted() == present.map { BytePath($0) })
    for name in present {
      #expect(try Data(contentsOf: folder.url.appending(path: name)) == Data("old \(name)".utf8))
    }
  }
}
