import Foundation
import Testing
import Zip

@testable import Backup

struct InventoryTests {
  @Test func `skips what has become a database since it was looked into`() throws {
    let folder = try Folder()
    try folder.write("extra/new.sqlite", [])
    let options = folder.options()
    let directory = try DataDirectory(folder.path, includes: options.includes, selection: nil)
    #expect(directory.files.map(\.name) == ["extra/new.sqlite"])
    try folder.database("extra/new.sqlite")
    let inventory = try Inventory(of: directory, options, now: 0)
    #expect(inventory.items.map(\.entry.name) == ["VERSION"])
    #expect(inventory.skipped.map(\.reason) == ["changed"])
  }

  @Test func `a plain file that becomes a database while it is read is none that can be kept`() throws {
    let folder = try Folder()
    try folder.write("extra/file", Array(repeating: 1, count: 4096))
    let options = folder.options()
    let directory = try DataDirectory(folder.path, includes: options.includes, selection: nil)
    let inventory = try Inventory(of: directory, options, now: 0)
    let item = try #require(inventory.items.first)
    try item.checkRead()
    let file = try FileHandle(forWritingTo: folder.url.appending(path: "extra/file"))
    try file.write(contentsOf: Array("SQLite format 3\0".utf8))
    #expect(throws: BackupError.self) { try item.checkRead() }
  }
}
