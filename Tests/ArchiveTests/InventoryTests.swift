import CSQLite
import Delta
import Foundation
import SQLiteSnapshot
import System
import TestSupport
import Testing
import Zip

@testable import Archive

struct InventoryTests {
  @Test func `skips what has become a database since it was looked into`() throws {
    let folder = try Folder()
    try folder.write("extra/new", [])
    var options = folder.options()
    options.allowsEmpty = true
    let directory = try DataDirectory(folder.path, includes: options.includes, selection: nil)
    #expect(directory.files.map(\.path) == ["extra/new"])
    try folder.database("extra/new")
    let inventory = try Inventory(of: directory, options, folder.memory, now: 0)
    #expect(inventory.items.map(\.entry.name) == ["VERSION"])
    #expect(inventory.skipped.map(\.reason) == ["changed"])
  }

  @Test func `a plain file that becomes a database while it is read is none that can be kept`() throws {
    let folder = try Folder()
    try folder.write("extra/file", Array(repeating: 1, count: 4096))
    let options = folder.options()
    let directory = try DataDirectory(folder.path, includes: options.includes, selection: nil)
    let inventory = try Inventory(of: directory, options, folder.memory, now: 0)
    let item = try #require(inventory.items.first)
    try item.checkRead()
    let file = try FileHandle(forWritingTo: folder.url.appending(path: "extra/file"))
    try file.write(contentsOf: Array("SQLite format 3\0".utf8))
    #expect(throws: BackupError.self) { try item.checkRead() }
  }

  @Test func `a database with the name of one of the archive's own entries costs no other`() throws {
    let folder = try Folder()
    for name in ["a.db", "VERSION", "MANIFEST.json"] { try folder.database(name) }
    let options = folder.options()
    let directory = try DataDirectory(folder.path, includes: options.includes, selection: nil)
    let inventory = try Inventory(of: directory, options, folder.memory, now: 0)
    #expect(inventory.items.map(\.entry.name) == ["a.db", "VERSION"])
    #expect(Set(inventory.skipped.map(\.path)) == ["VERSION", "MANIFEST.json"])
    #expect(inventory.skipped.allSatisfy { $0.reason == "unsafe-name" })
  }

  @Test(arguments: [512, 65536]) func `a unit is what the snapshot has there, whatever its pages`(
    pageSize: Int
  ) throws {
    let folder = try Folder()
    try folder.write("a.db", [])
    try folder.execute(
      "PRAGMA page_size=\(pageSize); CREATE TABLE t (b); INSERT INTO t VALUES (1)", in: "a.db")
    var handle: OpaquePointer?
    #expect(sqlite3_open(folder.url.appending(path: "a.db").path, &handle) == SQLITE_OK)
    // What stands in the WAL must not be missed.
    defer { sqlite3_close(handle) }
    let sql =
      "PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0; INSERT INTO t VALUES (randomblob(200000))"
    #expect(sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK)
    let options = folder.options()
    let directory = try DataDirectory(folder.path, includes: options.includes, selection: nil)
    let inventory = try Inventory(of: directory, options, folder.memory, now: 0)
    let item = try #require(inventory.items.first)
    let whole = try item.read(Int(item.entry.size), at: 0)
    let offsets = stride(from: 0, to: item.entry.size, by: UnitHash.unitSize)
    #expect(try offsets.flatMap { try item.unit(at: $0) } == whole)
  }

  @Test func `a file has as many bytes as the file system says`() throws {
    let folder = try Folder()
    for name in ["one.db", "extra/one"] { try folder.write(name, [7]) }
    try folder.write("extra/none", [])
    let options = folder.options()
    let directory = try DataDirectory(folder.path, includes: options.includes, selection: nil)
    let inventory = try Inventory(of: directory, options, folder.memory, now: 0)
    let sizes = inventory.items.map { [$0.entry.name: $0.entry.size] }.reduce(into: [:]) {
      $0.merge($1) { $1 }
    }
    #expect(sizes == ["one.db": 1, "extra/one": 1, "extra/none": 0, "VERSION": 6])
    #expect(try inventory.items.first { $0.entry.name == "one.db" }?.read(1, at: 0) == [7])
    let entry = inventory.items.first { $0.entry.name == "one.db" }?.manifestEntry(sha256: "", crc32: 0)
    #expect(entry?.kind == .file)
    #expect(entry?.note != nil)
  }

  @Test(arguments: ["", "extra/"], ["-wal", "-journal", ".wal", "-log"])
  func `leaves out another engine's database that has a log`(parent: String, suffix: String) throws {
    let folder = try Folder()
    let content = [UInt8](repeating: 9, count: 5000)
    for name in ["idle.sqlite3", "busy.sqlite3"] { try folder.write(parent + name, content) }
    try folder.write(parent + "busy.sqlite3" + suffix, content)
    let options = folder.options()
    let directory = try DataDirectory(folder.path, includes: options.includes, selection: nil)
    let inventory = try Inventory(of: directory, options, folder.memory, now: 0)
    #expect(inventory.skipped.map(\.path) == [parent + "busy.sqlite3"])
    #expect(inventory.skipped.map(\.reason) == ["not-a-database"])
    #expect(inventory.items.contains { $0.entry.name == parent + "idle.sqlite3" })
  }

  @Test(arguments: [64 << 20, 0] as [UInt64])
  func `another engine's database is copied before it can change`(budget: UInt64) throws {
    let folder = try Folder()
    try folder.write("extra/vault.db", [UInt8](repeating: 9, count: 5000))
    let options = folder.options()
    let directory = try DataDirectory(folder.path, includes: options.includes, selection: nil)
    let inventory = try Inventory(of: directory, options, MemoryBudget(byteCount: budget), now: 0)
    try folder.write("extra/vault.db", [])
    let item = try #require(inventory.items.first)
    #expect(try item.read(5000, at: 0) == [UInt8](repeating: 9, count: 5000))
    try item.checkRead()
    #expect(item.manifestEntry(sha256: "", crc32: 0).note != nil)
  }

  @Test func `a file without a size is no empty one`() throws {
    let folder = try Folder()
    var options = folder.options()
    options.dataDirectory = "/proc/sys/kernel"
    let includes = [ArchiveOptions.Include(path: "random/boot_id", isRequired: true)]
    let directory = try DataDirectory(options.dataDirectory, includes: includes, selection: nil)
    #expect(directory.files.map(\.status.size) == [0])
    let inventory = try Inventory(of: directory, options, folder.memory, now: 0)
    #expect(inventory.items.map(\.entry.name) == ["VERSION"])
    #expect(inventory.skipped.map(\.reason) == ["io-error", "no-database"])
  }

  @Test(arguments: ["MANIFEST.json/x", ".sluice-restore-2026/staged", "a\\b"])
  func `knows names that no archive may have`(name: String) {
    #expect(EntryNames.fault(ArchiveItem(name: name, bytes: [], modified: 0)) != nil)
    #expect(
      EntryNames.fault(ArchiveItem(name: "x/" + name.replacing("\\", with: ""), bytes: [], modified: 0))
        == nil)
  }

  @Test func `leaves out names that are the archive's own or that restore refuses`() throws {
    let folder = try Folder()
    let long = String(repeating: "n", count: 248)
    for name in ["VERSION", "a.db"] { try folder.database(name, journalMode: "delete") }
    try FileManager.default.copyItem(
      at: folder.url.appending(path: "a.db"), to: folder.url.appending(path: long))
    let options = folder.options()
    let directory = try DataDirectory(folder.path, includes: [], selection: nil)
    let inventory = try Inventory(of: directory, options, folder.memory, now: 0)
    #expect(inventory.items.map(\.entry.name) == ["a.db", "VERSION"])
    #expect(Set(inventory.skipped.map(\.reason)) == ["unsafe-name"])
    #expect(Set(inventory.skipped.map(\.path)) == ["VERSION", long])
  }
}
