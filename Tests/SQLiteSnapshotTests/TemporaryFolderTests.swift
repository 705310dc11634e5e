import Foundation
import System
import Testing

@testable import SQLiteSnapshot

struct TemporaryFolderTests {
  @Test func `makes a folder that only its owner can enter, each time another`() throws {
    let scratch = try Scratch()
    let folders = try (0..<3).map { _ in try temporaryFolder(in: scratch.path) }
    #expect(Set(folders).count == 3)
    for folder in folders {
      #expect(folder.parent == BytePath(scratch.path))
      let attributes = try FileManager.default.attributesOfItem(atPath: try #require(folder.string))
      #expect(attributes[.type] as? FileAttributeType == .typeDirectory)
      #expect(attributes[.posixPermissions] as? Int == 0o700)
    }
  }

  @Test func `says where it could not, and why`() throws {
    let scratch = try Scratch()
    let missing = scratch.file("missing")
    let error = #expect(throws: SQLiteError.self) { try temporaryFolder(in: missing) }
    #expect(error?.reason == .cannotOpen)
    for words in [missing, "No such file or directory", "the spool directory"] {
      #expect(error?.message.contains(words) == true)
    }
  }
}
