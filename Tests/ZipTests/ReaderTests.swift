import Foundation
import Testing

@testable import Zip

@Suite struct ReaderTests {
  @Test(arguments: Compression.allCases)
  func `every reader accepts an archive of each compression`(compression: Compression) throws {
    let archive = try TestArchive(TestMember.variety, compression)
    for reader in Tool.readers { try reader.read(archive) }
  }

  @Test(arguments: Tool.readers)
  func `every reader notices a damaged member, and so is worth its acceptance`(reader: Tool) throws {
    let archive = try TestArchive([TestMember("noise", Bytes.noise(100_000))])
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: archive.path)))
    bytes[50_000] ^= 1
    _ = try archive.folder.write(bytes, to: "archive.zip")
    #expect(try reader.complaint(about: archive)?.contains("No such file") == false)
  }

  @Test(arguments: Compression.allCases)
  func `members come back byte for byte under their names`(compression: Compression) throws {
    let archive = try TestArchive(TestMember.variety, compression)
    for member in TestMember.variety {
      _ = try archive.folder.write(member.data, to: "expected/\(member.entry.name)")
    }
    let output = try Tool.python(
      """
      import sys, zipfile
      archive = zipfile.ZipFile(sys.argv[1])
      for name in archive.namelist():
          assert archive.read(name) == open('expected/' + name, 'rb').read(), name
          print(name)
      """, [archive.path], in: archive.folder)
    #expect(output.split(separator: "\n").map(String.init) == TestMember.variety.map(\.entry.name))
  }

  @Test(arguments: Compression.allCases)
  func `every record says what APPNOTE wants it to say`(compression: Compression) throws {
    let archive = try TestArchive(TestMember.variety, compression)
    let reader = try StrictReader(archive)
    #expect(reader.members.map(\.name) == TestMember.variety.map(\.entry.name))
    #expect(reader.members.map(\.crc32) == archive.summaries.map(\.crc32))
    #expect(reader.members.map(\.size) == archive.summaries.map(\.size))
    for member in reader.members {
      #expect(member.versionMadeBy == 0x033f)
      #expect(member.versionNeeded == 20)
      #expect(member.descriptorByteCount == 16)
      #expect(member.localExtra.keys.sorted() == ["5455"] + (compression == .store ? ["d935"] : []))
      #expect(member.centralExtra.keys.sorted() == ["5455"])
    }
    #expect(!reader.hasZip64End)
  }

  @Test func `an archive of no members is one`() throws {
    let archive = try TestArchive([])
    #expect(archive.byteCount == 22)
    try Tool.python.read(archive)
    try Tool.sevenZip.read(archive)
  }

  @Test func `times and modes are as they were given`() throws {
    let members = [
      TestMember("a", [1], modified: 1_750_000_001, permissions: 0o640),
      TestMember("b", [], modified: 951_782_399, permissions: 0o4755),
    ]
    let archive = try TestArchive(members)
    let output = try Tool.python(
      """
      import sys, zipfile
      for info in zipfile.ZipFile(sys.argv[1]).infolist():
          print(info.filename, *info.date_time, oct(info.external_attr >> 16), info.create_system, info.extra.hex())
      """, [archive.path], in: archive.folder)
    #expect(
      output == """
        a 2025 6 15 15 6 40 0o100640 3 555405000181e14e68
        b 2000 2 28 23 59 58 0o104755 3 5554050001ff0bbb38

        """)
  }

  @Test(arguments: [["/usr/bin/unzip", "-qq"], ["/usr/bin/bsdtar", "-xpf"]])
  func `an unpacked file has its time to the second and its mode, wherever it is unpacked`(
    command: [String]
  ) throws {
    let archive = try TestArchive([
      TestMember("a", [1], modified: 1_750_000_001, permissions: 0o640),
      TestMember("b", [], modified: 0x7fff_ffff, permissions: 0o755),
    ])
    _ = try Tool.run(command + [archive.path], in: archive.folder)
    let output = try Tool.python(
      """
      import os
      for name in 'ab':
          status = os.stat(name)
          print(name, int(status.st_mtime), oct(status.st_mode))
      """, [], in: archive.folder)
    #expect(output == "a 1750000001 0o100640\nb 2147483647 0o100755\n")
  }
}
