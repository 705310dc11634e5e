import System
import Foundation
import TestSupport
import Testing

@testable import Archive

struct DataDirectoryTests {
  @Test func `names as excluded what the archive would have had`() throws {
    let folder = try Folder()
    for name in ["a.db", "History"] { try folder.database(name) }
    for name in ["notes.txt", "a.db-journal", "b.sqlite3"] { try folder.write(name, [1]) }
    let directory = try DataDirectory(folder.path, includes: [], excludes: ["*"], selection: nil)
    #expect(directory.databases.isEmpty)
    #expect(directory.excluded == ["History", "a.db", "b.sqlite3"])
  }

  private let folder: Folder

  init() throws { folder = try Folder() }

  private func look(
    _ includes: [String] = ["extra"], selection: [String]? = nil
  ) throws(BackupError) -> DataDirectory {
    try DataDirectory(
      folder.path, includes: includes.map { .init(path: BytePath($0), isRequired: true) },
      selection: selection)
  }

  private func reasons(_ directory: DataDirectory) -> [String: String] {
    Dictionary(uniqueKeysWithValues: directory.skipped.map { ($0.path, $0.reason) })
  }

  @Test func `takes what is directly in it and has a database's name, and nothing else`() throws {
    for name in ["b.db", "a.db", "Z.db", ".db", "a.db-wal", "a.sqlite", "notes.txt", "inner/c.db"] {
      try folder.write(name)
    }
    try FileManager.default.createDirectory(
      at: folder.url.appending(path: "folder.sqlite"), withIntermediateDirectories: true)
    let directory = try look([])
    #expect(directory.databases.map(\.path) == [".db", "Z.db", "a.db", "a.sqlite", "b.db"])
    #expect(directory.files.isEmpty)
    #expect(directory.skipped.isEmpty)
  }

  @Test func `enters included directories, and takes no companion of a database`() throws {
    for name in [
      "extra/x.db", "extra/x.db-wal", "extra/x.db-shm", "extra/x.db-journal", "extra/y-wal",
      "extra/deep/z.svg",
    ] { try folder.write(name) }
    let directory = try look()
    #expect(directory.databases.map(\.path) == ["extra/x.db"])
    #expect(directory.files.map(\.path) == ["extra/deep/z.svg", "extra/y-wal"])
  }

  @Test func `knows a database directly in it by what is in it`() throws {
    for name in ["History", "data-wal", "plan-shm", "a.db"] { try folder.database(name) }
    for name in ["text", "a.db-journal", "History-wal"] { try folder.write(name) }
    try folder.write("short", Array("SQLite format".utf8))
    let directory = try look([])
    #expect(directory.databases.map(\.path) == ["History", "a.db", "data-wal"])
    #expect(directory.files.isEmpty)
    #expect(directory.skipped.isEmpty)
  }

  @Test func `a name is that of a log only beside a database`() throws {
    for name in ["audit-journal", "notes-wal", "a.db", "deep/b-wal"] { try folder.database(name) }
    // The first two lie beside a folder and a text, and the last two beside databases.
    for name in ["audit/x", "notes", "deep/b", "audit-journal-wal", "a.db-journal"] { try folder.write(name) }
    let directory = try look(["deep"])
    #expect(directory.databases.map(\.path).sorted() == ["a.db", "audit-journal", "deep/b-wal", "notes-wal"])
    #expect(directory.files.map(\.path) == ["deep/b"])
    #expect(directory.skipped.isEmpty)
  }

  @Test func `leaves out a second name of a database directly in it, and says so`() throws {
    try folder.database("a.db")
    let copies = ["notes", "extra/notes"]
    try folder.write("extra/plain")
    for name in copies {
      try FileManager.default.linkItem(atPath: folder.path + "/a.db", toPath: folder.path + "/" + name)
    }
    #expect(reasons(try look([])) == ["a.db": "hard-link", "notes": "hard-link"])
  }

  @Test func `knows a database in an included directory by what is in it`() throws {
    for name in ["extra/x.sqlite", "extra/deep/noname", "extra/notes-wal", "extra/plan-shm"] {
      try folder.database(name)
    }
    try folder.write("extra/notes-wal-shm")
    for suffix in ["-wal", "-shm", "-journal"] { try folder.write("extra/x.sqlite" + suffix) }
    try folder.write("extra/short", Array("SQLite format".utf8))
    try folder.write("extra/text", Array("SQLite format 3, explained".utf8))
    let directory = try look()
    #expect(
      directory.databases.map(\.path) == ["extra/deep/noname", "extra/notes-wal", "extra/x.sqlite"])
    #expect(directory.files.map(\.path) == ["extra/short", "extra/text"])
    // Whose index it may be, and whether that database is pinned under another name, only opening it would tell.
    #expect(directory.skipped.map(\.path) == ["extra/plan-shm"])
  }

  @Test func `names a log, an index or a journal that was asked for by name`() throws {
    for name in ["a.db", "a.db-shm", "a.db-wal", "b-journal"] { try folder.write(name) }
    let directory = try look(["a.db", "a.db-shm", "a.db-wal", "b-journal"])
    #expect(directory.files.map(\.path) == ["b-journal"])
    #expect(reasons(directory) == ["a.db-shm": "companion", "a.db-wal": "companion"])
  }

  @Test func `leaves out every other name of a database, of its log and of its index`() throws {
    let elsewhere = try Folder()
    for name in ["a.db", "a.db-shm", "a.db-wal", "extra/plain"] { try folder.write(name) }
    try elsewhere.database("live")
    let link = { (from: String, to: String) in
      try FileManager.default.linkItem(atPath: from, toPath: folder.path + "/extra/" + to)
    }
    try link(folder.path + "/a.db", "database")
    try link(folder.path + "/a.db-shm", "index")
    try link(folder.path + "/a.db-wal", "log")
    try link(folder.path + "/extra/plain", "same")
    try link(elsewhere.path + "/live", "live")
    try folder.write("extra/live-wal")
    let directory = try look()
    #expect(directory.databases.isEmpty)
    #expect(directory.files.map(\.path) == ["extra/plain", "extra/same"])
    let names = ["a.db", "extra/database", "extra/index", "extra/log", "extra/live"]
    #expect(reasons(directory) == Dictionary(uniqueKeysWithValues: names.map { ($0, "hard-link") }))
  }

  @Test func `takes what is included twice once`() throws {
    try folder.write("extra/deep/z.svg")
    try folder.write("a.db")
    let directory = try look(["extra", "extra/deep", "extra/deep/z.svg", "a.db"])
    #expect(directory.files.map(\.path) == ["extra/deep/z.svg"])
    #expect(directory.databases.map(\.path) == ["a.db"])
  }

  @Test func `names what it leaves out`() throws {
    try folder.write("a.db")
    try folder.link("link.db", to: "a.db")
    try FileManager.default.createDirectory(
      at: folder.url.appending(path: "folder.db"), withIntermediateDirectories: true)
    try folder.write("extra/plain")
    try folder.link("extra/link", to: "/etc/passwd")
    #expect(mkfifo(folder.path + "/extra/pipe", 0o600) == 0)
    let name: [UInt8] = Array((folder.path + "/extra/").utf8) + [0xff, 0xfe, 0]
    let descriptor = name.withUnsafeBytes {
      open($0.baseAddress!.assumingMemoryBound(to: CChar.self), O_CREAT | O_WRONLY, 0o600)
    }
    close(descriptor)
    try folder.link("way", to: "extra")
    let directory = try look(["extra", "nowhere", "way/plain"])
    #expect(
      reasons(directory) == [
        "link.db": "symbolic-link", "folder.db": "not-a-regular-file", "extra/link": "symbolic-link",
        "extra/pipe": "not-a-regular-file", "extra/\u{fffd}\u{fffd}": "name-not-utf8", "nowhere": "missing",
        "way/plain": "symbolic-link",
      ])
    #expect(directory.files.map(\.path) == ["extra/plain"])
  }

  @Test func `goes so deep and no deeper`() throws {
    let deepest = "extra" + String(repeating: "/d", count: DataDirectory.maximumDepth - 1)
    try folder.write(deepest + "/last")
    try folder.write(deepest + "/d/never")
    let directory = try look()
    #expect(directory.files.map(\.path) == [BytePath(deepest + "/last")])
    #expect(reasons(directory) == [deepest + "/d": "too-deep"])
  }

  @Test func `refuses more names than one backup may hold open`() throws {
    for index in 0..<DataDirectory.maximumFiles { try folder.write("extra/\(index)", []) }
    try folder.write("one-too-many.db")
    do {
      _ = try look()
      Issue.record("no error was thrown")
    } catch {
      guard case .tooManyFiles = error else { throw error }
    }
  }

  @Test func `takes two names that look the same as the two files that they are`() throws {
    for name in ["caf\u{e9}.db", "cafe\u{301}.db", "\u{600}.db"] { try folder.write(name) }
    let names = try look([]).databases.map { $0.path.bytes }
    #expect(Set(names).count == 3)
  }

  @Test func `leaves a database out that has a second name, here or elsewhere`() throws {
    let elsewhere = try Folder()
    for name in ["a.db", "b.db", "c.db"] { try folder.write(name) }
    let link = { (from: String, to: String) in
      try FileManager.default.linkItem(atPath: from, toPath: to)
    }
    try link(folder.path + "/a.db", folder.path + "/z.db")
    try link(folder.path + "/b.db", elsewhere.path + "/b.db")
    let directory = try look([])
    #expect(directory.databases.map(\.path) == ["c.db"])
    #expect(reasons(directory) == ["a.db": "hard-link", "b.db": "hard-link", "z.db": "hard-link"])
  }

  @Test func `takes the databases asked for, once each, and nothing else`() throws {
    for name in ["a.db", "b.db", "c.db", "extra/file"] { try folder.write(name) }
    let directory = try look(selection: ["c.db", "a.db", "c.db"])
    #expect(directory.databases.map(\.path) == ["a.db", "c.db"])
    #expect(directory.files.isEmpty)
  }

  @Test func `takes the included databases asked for`() throws {
    for name in ["a.db", "extra/b.db", "extra/c.db"] { try folder.write(name) }
    try folder.database("extra/noname")
    let directory = try look(selection: ["extra/c.db", "extra/noname"])
    #expect(directory.databases.map(\.path) == ["extra/c.db", "extra/noname"])
    #expect(directory.files.isEmpty)
  }

  @Test(arguments: ["", ".", "..", "../a.db", "extra/../a.db", "a.db/", "a.db\0", "/etc/passwd"])
  func `refuses a selection that is no path inside`(_ name: String) throws {
    try folder.write("a.db")
    #expect { try look(selection: [name]) } throws: {
      if case BackupError.invalidName = $0 { true } else { false }
    }
  }

  @Test(arguments: ["b.db", "notes.txt", "A.DB", "extra/b.db"])
  func `says when a selection is not there`(_ name: String) throws {
    try folder.write("a.db")
    try folder.write("notes.txt")
    #expect { try look(selection: [name]) } throws: {
      if case BackupError.unknownDatabase = $0 { true } else { false }
    }
  }

  @Test func `a pattern excludes bytes that are no text`() throws {
    let path = BytePath(Array("extra/caf".utf8) + [0xe9, UInt8(ascii: "1")])
    for pattern in ["caf??", "caf*1", "extra/caf*", "ca[e-g]*"] {
      #expect(Exclusion([pattern]).matches(path))
    }
    for pattern in ["caf?", "extra*", "*/*/*", "xtra/caf*", "", "CAF*"] {
      #expect(!Exclusion([pattern]).matches(path))
    }
    #expect(Exclusion(["extra"]).matchesAnyPart(of: path))
    #expect(Exclusion(["caf*1"]).matchesDatabase(ofCompanion: path + "-wal"))
    #expect(!Exclusion(["caf*1"]).matches(path + "-wal"))
  }

  @Test func `an excluded database takes its log with it, and an excluded folder is not entered`() throws {
    for name in ["a.db", "a.db-wal", "extra/b.db", "extra/b.db-wal", "extra/in/c.svg", "extra/d.svg"] {
      try folder.write(name)
    }
    let directory = try DataDirectory(
      folder.path, includes: [.init(path: "extra", isRequired: true)], excludes: ["*.db", "in"],
      selection: nil)
    #expect(directory.databases.isEmpty && directory.skipped.isEmpty)
    #expect(directory.files.map(\.path) == ["extra/d.svg"])
    #expect(directory.excluded.sorted() == ["a.db", "extra/b.db", "extra/in"])
    #expect(!directory.hasDatabase)
  }

  @Test func `says when the directory is not there`() throws {
    #expect {
      try DataDirectory(folder.path + "/nowhere", includes: [], selection: nil)
    } throws: {
      if case BackupError.dataDirectory = $0 { true } else { false }
    }
  }
}
