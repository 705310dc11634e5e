import Testing

@testable import Zip

/// Archives that are zip64 by their own right. Serialised: each keeps the machine busy for seconds.
@Suite(.serialized) struct LargeArchiveTests {
  static let zeros = [UInt8](repeating: 0, count: DeflateEngine.blockSize)
  /// So many blocks are 4 GiB and 64 MiB.
  static let blockCount = 16_640

  @Test func `readers accept a member of more than 4 GiB`() throws {
    let engine = DeflateEngine(.fast)
    let archive = try TestArchive(repeating: [
      ("large.db", try engine.deflate(Self.zeros, isLast: false), Self.blockCount),
      ("VERSION", try engine.deflate(Array("1.2.3\n".utf8), isLast: false), 1),
    ])
    for reader in [Tool.sevenZip, .bsdtar] + Tool.java { try reader.read(archive) }
    try Self.readVersion(archive)
  }

  @Test func `readers find a member behind 4 GiB`() throws {
    let engine = DeflateEngine(.store)
    let archive = try TestArchive(repeating: [
      ("large.db", try engine.deflate(Self.zeros, isLast: false), Self.blockCount),
      ("VERSION", try engine.deflate(Array("1.2.3\n".utf8), isLast: false), 1),
    ])
    #expect(archive.summaries[0].compressedSize > 1 << 32)
    for reader in [Tool.bsdtar] + Tool.java { try reader.read(archive) }
    try Self.readVersion(archive)
  }

  /// Has the readers that take long over 4 GiB read what comes after.
  private static func readVersion(_ archive: TestArchive) throws {
    for command in [["/usr/bin/unzip", "-p"], ["/usr/bin/7z", "e", "-so"]] {
      #expect(try Tool.run(command + [archive.path, "VERSION"], in: archive.folder) == "1.2.3\n")
    }
    let output = try Tool.python(
      """
      import sys, zipfile
      archive = zipfile.ZipFile(sys.argv[1])
      print([info.file_size for info in archive.infolist()], archive.read('VERSION').decode())
      """, [archive.path], in: archive.folder)
    #expect(output == "[\(blockCount * zeros.count), 6] 1.2.3\n\n")
  }

  @Test func `readers accept more than 65,535 members`() throws {
    let members = (0..<70_000).map { TestMember("floor_plan/\($0)", []) }
    let archive = try TestArchive(members, .store)
    let reader = try StrictReader(archive)
    #expect(reader.members.count == 70_000)
    #expect(reader.hasZip64End)
    #expect(reader.endFields.first == 0xffff)
    for reader in Tool.readers { try reader.read(archive) }
    let list = try Tool.run(["/usr/bin/unzip", "-Z1", archive.path], in: archive.folder)
    #expect(list.split(separator: "\n").map(String.init) == members.map(\.entry.name))
    #expect(try ZipWriter.storedLength(of: members.map(\.entry)) == archive.byteCount)
  }
}
