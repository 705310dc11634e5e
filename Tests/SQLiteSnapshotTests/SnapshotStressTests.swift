import CSQLite
import Foundation
import Testing

@testable import SQLiteSnapshot

/// Snapshots of a database that two processes write to and a third checkpoints in all four modes without pause.
@Suite(.serialized, .timeLimit(.minutes(15)))
struct SnapshotStressTests {
  static let rounds = 50

  @Test(arguments: [512, 4096, 65536])
  func `every snapshot is sound and adds up, however long it is held`(pageSize: Int) throws {
    let scratch = try Scratch()
    let path = scratch.file("a.db")
    let database = try Bank.create(path, pageSize: pageSize)
    let others = try ["transfer_for_ever", "transfer_for_ever", "checkpoint_for_ever"].map { work in
      let other = try OtherProcess()
      try other.tell("\(work)('\(path)', \(pageSize))")
      #expect(try other.answer() == "\"ready\"")
      return other
    }
    var held: [(Snapshot, first: [UInt8])] = []
    var version = 0
    for round in 0..<Self.rounds {
      // Each is of another state than the one before.
      let last = version
      repeat { version = try database.number("PRAGMA data_version") } while version == last
      let snapshot = try Database(path: path, scratch.options()).snapshot()
      let bytes = try snapshot.bytes()
      try snapshot.checkHold()
      let found = try Inspection(of: bytes, in: scratch)
      // Before 3.51.3 SQLite itself may lose a transaction when a checkpoint runs just while a writer starts the log
      // anew (https://www.sqlite.org/wal.html#walresetbug). Then the database does not add up either.
      if sqlite3_libversion_number() < 3_051_003,
        try database.number("SELECT sum(balance) FROM account") != Bank.total
      {
        return withKnownIssue("SQLite lost a transaction of the database itself") { #expect(found == .sound) }
      }
      #expect(found == .sound, "round \(round)")
      // Some are held while others come and go, and are the same when they are read again.
      if round % 5 == 0 { held.append((snapshot, bytes)) }
      if held.count == 4 {
        let (snapshot, first) = held.removeFirst()
        let again = try snapshot.bytes(blockSize: 65536)
        #expect(again == first, "round \(round)")
        try snapshot.checkHold()
      }
    }
    withExtendedLifetime(others) {}
  }
}
