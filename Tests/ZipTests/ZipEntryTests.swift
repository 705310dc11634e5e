import Testing

@testable import Zip

@Suite struct ZipEntryTests {
  private func fault(of name: String) -> ZipError.NameFault? {
    do throws(ZipError) {
      try ZipEntry(name: name, modified: 0, permissions: 0o644, size: 0).checkName()
      return nil
    } catch {
      guard case .unsafeName(name, let fault) = error else { return nil }
      return fault
    }
  }

  @Test(arguments: [
    ("", ZipError.NameFault.empty),
    ("/etc/passwd", .absolute),
    ("/", .absolute),
    ("/\u{301}a", .absolute),
    ("..", .dotComponent),
    ("../a", .dotComponent),
    ("a/../b", .dotComponent),
    ("a/..", .dotComponent),
    (".", .dotComponent),
    ("./a", .dotComponent),
    ("a/./b", .dotComponent),
    ("a//b", .emptyComponent),
    ("a/", .emptyComponent),
    ("a\\b", .backslash),
    ("..\\a", .backslash),
    ("a\0b", .controlCharacter),
    ("a\nb", .controlCharacter),
    ("a\r\nb", .controlCharacter),
    ("a\u{1b}[2J", .controlCharacter),
    ("a\u{7f}", .controlCharacter),
    ("a\u{85}", .controlCharacter),
    ("C:", .driveLetter),
    ("C:a", .driveLetter),
    ("z:/a", .driveLetter),
    (String(repeating: "a", count: 65_536), .tooLong),
    (String(repeating: "é", count: 32_768), .tooLong),
  ])
  func `refuses an unsafe name`(name: String, expected: ZipError.NameFault) {
    #expect(fault(of: name) == expected)
  }

  @Test(arguments: [
    "a", "a.db", "...", "..a", "a..", ".hidden", "a/b/c", "a b", "1:00.db", "ab:c", "é:a", "a/C:",
    "Grüße/日本語",
    "'; DROP TABLE", String(repeating: "a", count: 65_535),
  ])
  func `takes a name that is merely unusual`(name: String) {
    #expect(fault(of: name) == nil)
  }

  @Test func `the longest name there may be comes through`() throws {
    let name = String(repeating: "a", count: 65_535)
    let archive = try TestArchive([TestMember(name, [1])])
    #expect(try StrictReader(archive).members.map(\.name) == [name])
  }

  @Test func `an error's text names the file in one line, with what to do`() {
    let error = ZipError.unsafeName("a\nb", .controlCharacter)
    #expect(
      "\(error)"
        == #"cannot put "a\nb" into the archive: the name has a control character; rename the file"#)
  }
}
