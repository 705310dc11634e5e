import System
import TestSupport
import Testing
import Zip

@testable import Archive
@testable import Restore

struct VerificationTests {
  private func verify(_ bytes: [UInt8], _ way: Way) throws -> Verification {
    try way.withPath(bytes) { path in
      try Verification(
        Verification.Options(
          archive: path, quick: false, spoolDirectory: "/var/tmp", checkTimeout: .seconds(60)),
        progress: { _, _ in }, isInterrupted: { false })
    }
  }

  @Test(arguments: Way.allCases)
  func `finds whole what is as its manifest says`(_ way: Way) throws {
    let found = try verify(TestBackup().bytes(), way)
    #expect(found.verdict == .whole && found.faults.isEmpty)
    #expect(found.entries.map(\.path) == ["a.txt", "floor_plan/b.svg", "VERSION", "MANIFEST.json"])
    #expect(found.entries.allSatisfy { $0.fault == nil && !$0.isDatabase })
  }

  @Test(arguments: Way.allCases)
  func `finds incomplete what says that something was skipped`(_ way: Way) throws {
    var backup = TestBackup()
    backup.manifest.complete = false
    backup.manifest.skipped = [Skipped(path: "c.db", reason: "locked", detail: "")]
    let found = try verify(backup.bytes(), way)
    #expect(found.verdict == .incomplete && found.skipped.map(\.path) == ["c.db"])
  }

  @Test(arguments: Way.allCases)
  func `finds damaged what differs, and says where`(_ way: Way) throws {
    var backup = TestBackup()
    backup.manifest.entries[0].sha256 = ""
    backup.files.append(("more", []))
    let found = try verify(backup.bytes(), way)
    #expect(found.verdict == .damaged && found.faults.isEmpty)
    let faults = Dictionary(uniqueKeysWithValues: found.entries.map { ($0.path, $0.fault) })
    #expect(faults["a.txt"] == "its SHA-256 is not what the manifest says")
    #expect(faults["more"] == "the manifest has no such entry")
    #expect(faults["VERSION"] == .some(nil))
  }

  @Test(arguments: Way.allCases)
  func `finds damaged what begins unlike the database that the manifest says it is`(_ way: Way) throws {
    var backup = TestBackup()
    backup.manifest.entries[0].kind = .database
    let found = try verify(backup.bytes(), way)
    #expect(found.verdict == .damaged)
    #expect(found.entries.first?.fault == "is a database in the manifest, and none to SQLite")
  }

  private static let torn = Array("SQLite format 3\0".utf8) + [UInt8](repeating: 0xff, count: 4080)

  @Test(arguments: Way.allCases)
  func `lets SQLite decide on databases, and not on what was taken as a plain file`(_ way: Way) throws {
    var backup = TestBackup([("torn.db", Self.torn)])
    let taken = try verify(backup.bytes(), way)
    #expect(taken.verdict == .whole && taken.entries.first?.isDatabase == true)
    #expect(
      taken.entries.first?.note?.hasPrefix("taken as a plain file; as a database it has a fault") == true)
    backup.manifest.entries[0].kind = .database
    let found = try verify(backup.bytes(), way)
    #expect(found.verdict == .damaged && found.entries.first?.fault != nil)
  }

  @Test(arguments: Way.allCases)
  func `finds foreign what has no manifest, unless it has a fault`(_ way: Way) throws {
    #expect(try verify(TestBackup().bytes(withManifest: false), way).verdict == .foreign)
    #expect(try verify(Array("no zip".utf8), way).verdict == .foreign)
    let torn = try verify(TestBackup([("torn.db", Self.torn)]).bytes(withManifest: false), way)
    #expect(torn.verdict == .damaged)
    #expect(try verify(TestBackup().bytes().dropLast(1) + [], way).verdict == .damaged)
  }

  @Test(arguments: Way.allCases)
  func `is no verdict when it is interrupted`(_ way: Way) throws {
    try way.withPath(TestBackup().bytes()) { path in
      #expect {
        try Verification(
          Verification.Options(
            archive: path, quick: true, spoolDirectory: "/var/tmp", checkTimeout: .seconds(60)),
          progress: { _, _ in }, isInterrupted: { true })
      } throws: {
        if case RestoreError.interrupted = $0 { true } else { false }
      }
    }
  }
}
