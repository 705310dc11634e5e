import Foundation
import System
import TestSupport
import Testing
import Zip

@testable import Archive
@testable import Restore

struct ArchiveContentsTests {
  private func open(_ path: String) throws -> ArchiveContents {
    try ArchiveContents(path: path, isInterrupted: { false })
  }

  private func isReadable(_ contents: ArchiveContents) -> Bool {
    if case .readable = contents.manifest { true } else { false }
  }

  private func isUnreadable(_ contents: ArchiveContents) -> Bool {
    if case .unreadable = contents.manifest { true } else { false }
  }

  /// Every path, with what was read of it.
  private func readAll(_ contents: ArchiveContents) throws -> [BytePath: String] {
    var found: [BytePath: String] = [:]
    try contents.forEachEntry { path, _, read in
      var bytes: [UInt8] = []
      _ = try read { bytes += $0 }
      found[path] = String(decoding: bytes, as: UTF8.self)
      return nil
    }
    return found
  }

  @Test(arguments: Way.allCases)
  func `reads every entry, and the manifest beside them`(_ way: Way) throws {
    try way.withPath(TestBackup().bytes()) { path in
      let contents = try open(path)
      #expect(contents.isPipe == (way == .pipe))
      let found = try readAll(contents)
      #expect(Set(found.keys) == ["a.txt", "floor_plan/b.svg", "VERSION", "MANIFEST.json"])
      #expect(found["floor_plan/b.svg"] == "two" && found["VERSION"] == "1.2.3\n")
      #expect(contents.version == Array("1.2.3\n".utf8))
      guard case .readable(let comparison) = contents.manifest else {
        Issue.record("the manifest was not read")
        return
      }
      #expect(comparison.manifest.entries.map(\.path) == ["a.txt", "floor_plan/b.svg", "VERSION"])
      #expect(
        contents.differences(paths: Set(found.keys).subtracting(["MANIFEST.json"])).isEmpty
      )
    }
  }

  @Test func `knows the manifest of a file before anything else is read`() throws {
    try Way.file.withPath(TestBackup().bytes()) { path in
      let contents = try open(path)
      #expect(contents.difference("a.txt", size: 3) == nil)
      #expect(contents.difference("a.txt", size: 4) == .size(found: 4, listed: 3))
      #expect(contents.difference("b.txt", size: 3) == .unlisted)
      #expect(contents.difference("MANIFEST.json", size: 3) == nil)
      #expect(contents.version == nil)
    }
  }

  @Test(arguments: Way.allCases)
  func `tells no manifest from one that cannot be read`(_ way: Way) throws {
    try way.withPath(TestBackup().bytes(withManifest: false)) { path in
      let contents = try open(path)
      _ = try readAll(contents)
      #expect(!isReadable(contents) && !isUnreadable(contents))
    }
    var later = TestBackup()
    later.manifest.format = 2
    try way.withPath(later.bytes()) { path in
      let contents = try open(path)
      _ = try readAll(contents)
      #expect(isUnreadable(contents))
    }
  }

  @Test(arguments: Way.allCases)
  func `keeps no version that is too long to be compared`(_ way: Way) throws {
    var backup = TestBackup()
    backup.files[2].content = Array(repeating: 0x31, count: Manifest.maximumVersionSize + 1)
    try way.withPath(backup.bytes()) { path in
      let contents = try open(path)
      #expect(try readAll(contents)["VERSION"]?.utf8.count == Manifest.maximumVersionSize + 1)
      #expect(contents.version == nil)
    }
  }

  @Test(arguments: Way.allCases)
  func `names folders apart from entries`(_ way: Way) throws {
    // Archives of this project have no folders.
    let folder = try Folder()
    try folder.write("archive.zip", TestBackup([]).bytes())
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/python3")
    process.arguments = [
      "-c", "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'a').writestr('x/', '')",
      "\(folder.path)/archive.zip",
    ]
    try process.run()
    process.waitUntilExit()
    let bytes = try Array(Data(contentsOf: folder.url.appending(path: "archive.zip")))
    try way.withPath(bytes) { path in
      let contents = try open(path)
      #expect(try readAll(contents)["x"] == nil)
      #expect(contents.folders == ["x"])
      #expect(contents.differences(paths: ["VERSION"]).contains(.folder("x")))
    }
  }

  @Test(arguments: Way.allCases)
  func `ends when it is interrupted`(_ way: Way) throws {
    try way.withPath(TestBackup().bytes()) { path in
      #expect(throws: (any Error).self) {
        _ = try readAll(ArchiveContents(path: path, isInterrupted: { true }))
      }
    }
  }
}
