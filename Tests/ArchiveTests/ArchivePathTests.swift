import System
import TestSupport
import Testing

@testable import Archive

struct ArchivePathTests {
  private static let directory: BytePath = "/var/lib/app"

  @Test(arguments: [
    ("a.db", "a.db"), ("a/b", "a/b"), ("a/", "a"), ("a//", "a"), ("./a", "a"), (".//./a", "a"),
    ("/var/lib/app/a", "a"), ("/var/lib/app/./a/", "a"), ("a\u{301}/b", "a\u{301}/b"),
    ("/var/lib/app/*.tmp", "*.tmp"),
    ("...", "..."),
  ])
  func `reads what lies in the directory`(_ path: String, _ relative: String) {
    #expect(ArchivePath.relative(BytePath(path), in: Self.directory) == BytePath(relative))
    #expect(ArchivePath.relative(BytePath(path), in: Self.directory + "//") == BytePath(relative))
  }

  @Test(arguments: [
    "", ".", "..", "/", "./", "../a", "a/../b", "a//b", "a/./b", "/a", "/var/lib/app", "/var/lib/app/",
    "/var/lib/app2/a",
    // To Swift, a slash and the mark after it are one Character, which is no slash.
    "/var/lib/app/\u{301}/../a", "a\0b",
  ])
  func `refuses what leads elsewhere`(_ path: String) {
    #expect(ArchivePath.relative(BytePath(path), in: Self.directory) == nil)
  }

  @Test func `knows the directory by its real name, too`() throws {
    let folder = try Folder()
    try folder.link("link", to: folder.path)
    let link = BytePath(folder.path).appending("link")
    #expect(ArchivePath.relative(link.appending("a"), in: link) == "a")
    #expect(ArchivePath.relative(try FileSystem.canonical(link).appending("a"), in: link) == "a")
  }

  @Test func `takes the root directory for one`() {
    #expect(ArchivePath.relative("/a/b", in: "/") == "a/b")
  }
}
