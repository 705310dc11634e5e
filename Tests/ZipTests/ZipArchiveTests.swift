import Foundation
import System
import Testing

@testable import Zip

/// The reader, from a file by the central directory and from a pipe by the local headers: what the writer makes it reads,
/// and what is no longer that it refuses.
@Suite struct ZipArchiveTests {
  /// What one of the two readers makes of an archive.
  enum Way: CaseIterable {
    case file, pipe

    func read(_ bytes: [UInt8], limits: ZipReadLimits = .standard) throws -> [String: [UInt8]] {
      let folder = try TemporaryFolder()
      let path = try folder.write(bytes, to: "a.zip")
      let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      defer { try? file.close() }
      var found: [String: [UInt8]] = [:]
      switch self {
      case .file:
        let archive = try ZipArchive(file.fileDescriptor, limits: limits)
        for member in archive.members {
          var content: [UInt8] = []
          try archive.read(member) { content += $0 }
          #expect(content.count == member.size)
          found[member.name] = content
        }
      case .pipe:
        var stream = ZipStream(file.fileDescriptor, limits: limits)
        while let name = try stream.next() {
          var content: [UInt8] = []
          _ = try stream.read { content += $0 }
          found[name] = content
        }
      }
      return found
    }
  }

  @Test(arguments: Way.allCases, [Compression.store, .fast, .best])
  func `what was written is read`(way: Way, compression: Compression) throws {
    for limits in [ZipLimits.standard, ZipLimits(size: 1000, count: 3)] {
      let archive = try TestArchive(TestMember.variety, compression, limits: limits)
      let found = try way.read(try archive.bytes())
      #expect(found.count == TestMember.variety.count)
      for member in TestMember.variety { #expect(found[member.entry.name] == member.data) }
    }
  }

  @Test func `times and permissions come through`() throws {
    let members = [
      TestMember("a", [1], modified: 1_750_000_001, permissions: 0o640),
      TestMember("late", [1], modified: 4_000_000_000), TestMember("leap", [1], modified: 4_107_542_398),
    ]
    let archive = try TestArchive(members)
    let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: archive.path))
    defer { try? file.close() }
    let read = try ZipArchive(file.fileDescriptor).members
    #expect(read.map(\.modified) == [1_750_000_001, 4_000_000_000, 4_107_542_398])
    #expect(read.map(\.permissions) == [0o640, 0o644, 0o644])
  }

  static let small = [TestMember("a.db", Bytes.pages(600)), TestMember("b/c", []), TestMember("ü", [7])]

  @Test(arguments: Way.allCases, [ZipLimits.standard, ZipLimits(size: 1, count: 1)])
  func `no archive that is cut off passes`(way: Way, limits: ZipLimits) throws {
    let bytes = try TestArchive(Self.small, limits: limits).bytes()
    for length in bytes.indices {
      #expect(throws: (any Error).self, "cut off at \(length)") { try way.read(Array(bytes[..<length])) }
    }
  }

  /// Every bit in turn. What may change unnoticed says nothing of names or data: the program and the system that made
  /// the archive, the version needed to extract it where that is still one that is known, text or not, the permissions,
  /// which stand nowhere else, the times besides the modification's that an extended timestamp says it might have, and
  /// the bits that deflate leaves unused where it goes on at a whole byte.
  @Test(arguments: Way.allCases, [ZipLimits.standard, ZipLimits(size: 1, count: 1)])
  func `no bit that means anything changes unnoticed`(way: Way, limits: ZipLimits) throws {
    let bytes = try TestArchive(Self.small, limits: limits).bytes()
    let expected = try way.read(bytes)
    var meaningless = Set<Int>()
    var dataStart = 0
    for index in bytes.indices where index + 4 <= bytes.count {
      switch bytes.littleEndian(at: index) as UInt32 {
      case 0x0403_4b50:
        dataStart = index + 30 + Int(bytes.littleEndian(at: index + 26) as UInt16)
        dataStart += Int(bytes.littleEndian(at: index + 28) as UInt16)
        let isStoredBlock = bytes[dataStart] & 0b110 == 0
        if isStoredBlock { meaningless.insert(dataStart) }
      case 0x0807_4b50: meaningless.insert(index - 1)
      case 0x0201_4b50:
        // The permissions.
        meaningless.formUnion(index + 40..<index + 42)
      case 0x0606_4b50: meaningless.formUnion(index + 12..<index + 16)
      default: break
      }
    }
    for index in bytes.indices {
      for bit in 0..<8 {
        var changed = bytes
        changed[index] ^= 1 << bit
        guard let found = try? way.read(changed) else { continue }
        #expect(found == expected, "bit \(bit) of byte \(index)")
        #expect(meaningless.contains(index), "bit \(bit) of byte \(index) passes")
      }
    }
  }

  /// A statement of Python's `zipfile` or an option of 7-Zip, and what is said.
  static let packed = [
    ("zipfile.ZIP_BZIP2", "compression method 12 (bzip2)"),
    ("zipfile.ZIP_LZMA", "compression method 14 (LZMA)"),
    ("-mm=Deflate64", "compression method 9 (Deflate64)"), ("-mm=PPMd", "compression method 98 (PPMd)"),
    ("-ppassword", "encryption"), ("-ppassword -mem=AES256", "encryption"),
  ]

  @Test(arguments: Way.allCases, packed)
  func `what another program packed in its own way is not supported, and no damage`(
    way: Way, packed: (how: String, words: String)
  ) throws {
    let folder = try TemporaryFolder()
    _ = try folder.write(Bytes.pages(60_000), to: "a.db")
    if packed.how.hasPrefix("-") {
      let options = packed.how.split(separator: " ").map(String.init)
      _ = try Tool.run(["/usr/bin/7z", "a", "-tzip"] + options + ["a.zip", "a.db"], in: folder)
    } else {
      _ = try Tool.python(
        "import zipfile; zipfile.ZipFile('a.zip', 'w', \(packed.how)).write('a.db')", [], in: folder)
    }
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path + "/a.zip")))
    let error = try #require(throws: ZipReadError.self) { _ = try way.read(bytes) }
    #expect(error.fault == .undecodable(packed.words) && error.member == "a.db")
  }

  @Test(arguments: Way.allCases)
  func `what 7-Zip packed again is read, though it gives the version of this writer`(way: Way) throws {
    let folder = try TemporaryFolder()
    _ = try folder.write(Bytes.pages(60_000), to: "a.db")
    _ = try Tool.run(["/usr/bin/7z", "a", "-tzip", "a.zip", "a.db"], in: folder)
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path + "/a.zip")))
    #expect(try way.read(bytes) == ["a.db": Bytes.pages(60_000)])
  }

  /// A bit that flips there makes another method, encryption or a version that nothing can read.
  @Test(arguments: Way.allCases, [4, 6, 8])
  func `in an archive of this writer it is damage`(way: Way, place: Int) throws {
    for members in [Self.small, Array(Self.small.prefix(1))] {
      let bytes = try TestArchive(members).bytes()
      for bit in 0..<8 {
        // Of the first local and the first central header.
        for (signature, place) in [(0x0403_4b50, place), (0x0201_4b50, place + 2)] as [(UInt32, Int)] {
          var changed = bytes
          let start = try #require(
            bytes.indices.first { $0 + 4 <= bytes.count && bytes.littleEndian(at: $0) as UInt32 == signature }
          )
          changed[start + place] ^= 1 << bit
          do { _ = try way.read(changed) } catch let error as ZipReadError {
            if case .undecodable = error.fault {
              Issue.record("bit \(bit) of byte \(start + place): \(error)")
            }
          }
        }
      }
    }
  }

  @Test(arguments: Way.allCases)
  func `nothing may stand before, between or behind`(way: Way) throws {
    let bytes = try TestArchive(Self.small).bytes()
    let starts = bytes.indices.filter {
      $0 + 4 <= bytes.count && (bytes.littleEndian(at: $0) as UInt32) & 0xffff == 0x4b50
    }
    for place in starts + [bytes.count] {
      #expect(throws: ZipReadError.self, "at \(place)") {
        try way.read(Array(bytes[..<place]) + [0] + Array(bytes[place...]))
      }
    }
  }

  @Test(arguments: Way.allCases)
  func `limits hold`(way: Way) throws {
    let bytes = try TestArchive(Self.small).bytes()
    for (limits, fault) in [
      (
        ZipReadLimits(memberCount: 2, directorySize: 1 << 20, totalSize: 1 << 20),
        ZipReadError.Fault.tooManyMembers(limit: 2)
      ),
      (ZipReadLimits(memberCount: 3, directorySize: 1 << 20, totalSize: 600), .tooLarge(limit: 600)),
    ] {
      #expect { try way.read(bytes, limits: limits) } throws: { error in
        guard case .tooLarge = fault else { return (error as? ZipReadError)?.fault == fault }
        guard case .tooLarge = (error as? ZipReadError)?.fault else { return false }
        return true
      }
    }
    #expect(
      try way.read(bytes, limits: ZipReadLimits(memberCount: 3, directorySize: 1 << 20, totalSize: 601)).count
        == 3)
  }

  /// Names that the writer refuses, too: they are put in place of one of the same length.
  @Test(arguments: Way.allCases, ["/bc", "../", "b//", "b\\c", "c:d", "b\nc", "\u{0}bc"])
  func `a name that leads astray is refused`(way: Way, name: String) throws {
    let bytes = try TestArchive([TestMember("abc", [1])]).bytes()
    let renamed = bytes.replacing(Array("abc".utf8), with: Array(name.utf8.prefix(3)))
    #expect(renamed.count == bytes.count && renamed != bytes)
    #expect(throws: ZipReadError.self) { try way.read(renamed) }
  }

  @Test(arguments: Way.allCases)
  func `no name is there twice, nor as a file and a directory`(way: Way) throws {
    for (first, second, fault) in [
      ("abc", "abd", ZipReadError.Fault.duplicateName), ("a__", "a_d/e", .fileAsDirectory),
    ] {
      let bytes = try TestArchive([TestMember(first, [1]), TestMember(second, [2])]).bytes()
      let prefix = first == "abc" ? ("abd", "abc") : ("a__", "a_d")
      let renamed = bytes.replacing(Array(prefix.0.utf8), with: Array(prefix.1.utf8))
      #expect { try way.read(renamed) } throws: { ($0 as? ZipReadError)?.fault == fault }
    }
  }

  /// Archives changed at random places by someone who knows where records are: the readers end, with an error or with
  /// what was there.
  @Test(arguments: Way.allCases) func `a mutated archive is refused or is what it was`(way: Way) throws {
    var chance = Numbers(state: 7)
    let limits = ZipLimits(size: 200, count: 2)
    let originals = try [ZipLimits.standard, limits].map { try TestArchive(Self.small, limits: $0).bytes() }
    let expected = try way.read(originals[0])
    let count = ProcessInfo.processInfo.environment["RUN_SLOW"] == "1" ? 10_000 : 500
    for round in 0..<count {
      let original = originals[round % 2]
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &chance) {
        let signatures = bytes.indices.filter {
          $0 + 4 <= bytes.count && bytes[$0] == 0x50 && bytes[$0 + 1] == 0x4b
        }
        guard let record = signatures.randomElement(using: &chance) else { continue }
        let place = min(record + Int.random(in: 0..<46, using: &chance), bytes.count - 1)
        switch Int.random(in: 0..<6, using: &chance) {
        case 0: bytes[place] = .random(in: 0...255, using: &chance)
        case 1: bytes.removeSubrange(place..<min(place + Int.random(in: 1..<40, using: &chance), bytes.count))
        case 2: bytes.insert(contentsOf: bytes[record..<min(record + 60, bytes.count)], at: place)
        case 3: for index in place..<min(place + 4, bytes.count) { bytes[index] = 0xff }
        case 4: for index in place..<min(place + 8, bytes.count) { bytes[index] = 0 }
        default: bytes.swapAt(place, Int.random(in: 0..<bytes.count, using: &chance))
        }
        if bytes.isEmpty { break }
      }
      guard let found = try? way.read(bytes) else { continue }
      #expect(found == expected, "round \(round)")
    }
  }

  struct Numbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ state >> 29
    }
  }
}

extension TestArchive {
  fileprivate func bytes() throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
}
