import Testing

@testable import Backup

struct RestorePlanTests {
  private static let archive = [
    "a.db", "floor_plan/plan.json", "floor_plan/upper/x.svg", "floor_plan.db", "VERSION", "MANIFEST.json",
  ]

  @Test(arguments: [
    ([], ["a.db", "floor_plan/plan.json", "floor_plan/upper/x.svg", "floor_plan.db"]),
    (["floor_plan"], ["floor_plan/plan.json", "floor_plan/upper/x.svg"]),
    (["floor_plan/upper/", "a.db"], ["a.db", "floor_plan/upper/x.svg"]),
    (["VERSION"], ["VERSION"]),
  ])
  func `chooses files and folders`(_ only: [String], _ chosen: [String]) throws {
    #expect(try RestorePlan.selection(of: Self.archive, only: only) == chosen)
  }

  @Test(arguments: ["b.db", "floor", "floor_plan/p", "", "/"])
  func `refuses what is not there`(_ wanted: String) {
    #expect(throws: RestoreError.self) {
      try RestorePlan.selection(of: Self.archive, only: ["a.db", wanted])
    }
  }

  private func plan(_ paths: [String], in folder: Folder) throws -> RestorePlan {
    try RestorePlan(
      paths, of: Set(paths), databases: Set(paths.filter { $0.hasSuffix(".db") }),
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
    ["a.db", "A.db"], ["x", "x/y"], ["x/y", "X"], ["a.db", "a.db-wal"], ["../a"],
  ])
  func `refuses what cannot stand side by side`(_ paths: [String]) {
    #expect(throws: RestoreError.self) { try plan(paths, in: Folder()) }
  }

  @Test func `refuses a name with a folder at every other byte`() {
    #expect(throws: RestoreError.self) {
      try plan([String(repeating: "a/", count: 30_000) + "a"], in: Folder())
    }
  }
}
