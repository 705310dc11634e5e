import System
import TestSupport
import Testing

@testable import Archive
@testable import Restore

struct RestorePlanTests {
  private static func paths(_ texts: [String]) -> [BytePath] { texts.map { BytePath($0) } }

  private static let archive: [BytePath] = [
    "a.db", "floor_plan/plan.json", "floor_plan/upper/x.svg", "floor_plan.db", "VERSION", "MANIFEST.json",
  ]

  @Test(arguments: [
    ([], ["a.db", "floor_plan/plan.json", "floor_plan/upper/x.svg", "floor_plan.db"]),
    (["floor_plan"], ["floor_plan/plan.json", "floor_plan/upper/x.svg"]),
    (["floor_plan/upper/", "a.db"], ["a.db", "floor_plan/upper/x.svg"]),
    (["VERSION"], ["VERSION"]),
  ])
  func `chooses files and folders`(_ only: [String], _ chosen: [String]) throws {
    #expect(try RestorePlan.selection(of: Self.archive, only: Self.paths(only)) == Self.paths(chosen))
  }

  @Test(arguments: ["b.db", "floor", "floor_plan/p", "", "/"])
  func `refuses what is not there`(_ missing: String) {
    #expect(throws: RestoreError.self) {
      try RestorePlan.selection(of: Self.archive, only: ["a.db", BytePath(missing)])
    }
  }

  @Test(arguments: [
    (["\u{e9}.db"], ["\u{e9}.db"]), (["e\u{301}.db"], ["e\u{301}.db"]), (["\u{e9}"], ["\u{e9}/x"]),
    (["\u{212a}.db"], ["\u{212a}.db"]),
  ])
  func `chooses by bytes what looks the same`(_ only: [String], _ chosen: [String]) throws {
    let archive: [BytePath] = ["K.db", "\u{212a}.db", "\u{e9}.db", "e\u{301}.db", "\u{e9}/x", "e\u{301}/x"]
    #expect(try RestorePlan.selection(of: archive, only: Self.paths(only)) == Self.paths(chosen))
  }

  private func plan(_ texts: [String], in folder: Folder) throws -> RestorePlan {
    let paths = Self.paths(texts)
    return try RestorePlan(
      paths, of: RestorePlan.Names(all: Set(paths), databases: Set(paths.filter { $0.hasSuffix(".db") })),
      in: RestoreTarget(path: folder.path), timestamp: "20260131T235959Z")
  }

  @Test func `keeps a database with all that belongs to it`() throws {
    let folder = try Folder()
    for name in ["a.db", "a.db-wal", "a.db-shm", "b.db-journal", "c.db-wal"] { try folder.write(name) }
    let plan = try plan(["a.db", "b.db"], in: folder)
    #expect(plan.kept.map(\.path) == ["a.db", "a.db-wal", "a.db-shm", "b.db-journal"])
    #expect(plan.kept.first?.as == "a.db.before-restore-20260131T235959Z")
    #expect(plan.kept.last?.as == "b.db.before-restore-20260131T235959Z-journal")
  }

  @Test func `makes each folder after the one it is in, once`() throws {
    let plan = try plan(["x/y/1", "x/2", "x/y/z/3"], in: Folder())
    #expect(plan.journal.newFolders == ["x", "x/y", "x/y/z"])
  }

  @Test(arguments: [
    ["x", "x/y"], ["a.db", "a.db-wal"], ["../a"],
  ])
  func `refuses what cannot stand side by side`(_ paths: [String]) {
    #expect(throws: RestoreError.self) { try plan(paths, in: Folder()) }
  }

  @Test(arguments: [
    ["K.db", "\u{212a}.db", "\u{e9}.db", "e\u{301}.db"], ["\u{e9}", "e\u{301}/x"], ["e\u{301}/x", "\u{e9}"],
    ["\u{e9}.db", "e\u{301}.db-wal"], ["a.db", "A.db"], ["x/y", "X"], ["K.db", "\u{212a}.db", "k.db"],
    ["\u{e9}.db", "\u{c9}.db"],
  ])
  func `takes what only looks the same for what it is`(_ paths: [String]) throws {
    let plan = try plan(paths, in: Folder())
    #expect(plan.journal.items.map(\.path) == Self.paths(paths))
    #expect(plan.journal.items.allSatisfy { $0.companions.count == 3 })
  }

  private static func name(_ length: Int, _ end: String = "") -> String {
    String(repeating: "a", count: length - end.utf8.count) + end
  }

  @Test(arguments: [name(255), name(247, ".db"), name(255) + "/b.db"])
  func `takes names as long as the file system does`(_ path: String) throws {
    #expect(try plan([path], in: Folder()).journal.items.map(\.path) == [BytePath(path)])
  }

  @Test(arguments: [name(256), name(248, ".db"), name(256) + "/b.db"])
  func `refuses what the file system or SQLite cannot name`(_ path: String) {
    #expect {
      try plan([path], in: Folder())
    } throws: {
      switch $0 as? RestoreError {
      case .unsafeEntry(_, .nameTooLong)?, .unsafeEntry(_, .journalNameTooLong)?: true
      default: false
      }
    }
  }

  /// What follows the name of a kept file has 32 bytes, without its own -journal.
  @Test(arguments: [(223, ""), (215, "-journal")])
  func `replaces only what can be kept`(_ length: Int, _ suffix: String) throws {
    let folder = try Folder()
    let (name, longer) = (Self.name(length), Self.name(length + 1))
    for name in [name, longer] { try folder.write(name + suffix) }
    #expect(try plan([name], in: folder).kept.map(\.path) == [BytePath(name + suffix)])
    #expect {
      try plan([name, longer], in: folder)
    } throws: {
      if case .cannotKeep([BytePath(longer + suffix)])? = $0 as? RestoreError { true } else { false }
    }
  }

  @Test func `refuses a name with a folder at every other byte`() {
    #expect(throws: RestoreError.self) {
      try plan([String(repeating: "a/", count: 30_000) + "a"], in: Folder())
    }
  }
}
