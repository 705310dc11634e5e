import Foundation
import System
import TestSupport
import Testing

@testable import Archive
@testable import Restore

struct RestoreStagingTests {
  private let folder: Folder
  private let target: RestoreTarget
  private let journal = RestoreJournal(
    suffix: ".before-restore-20260131T235959Z", newFolders: [],
    items: [RestoredFile(path: "a.txt", inode: 1, companions: [])])

  init() throws {
    folder = try Folder()
    target = try RestoreTarget(path: folder.path)
  }

  private func attributes(_ name: String) throws -> [FileAttributeKey: Any] {
    try FileManager.default.attributesOfItem(atPath: "\(folder.path)/\(name)")
  }

  private func isDirectoryError(_ error: any Error) -> Bool {
    if case RestoreError.directory = error { true } else { false }
  }

  @Test func `is a folder of the directory's own, which no other may enter`() throws {
    let staging = try RestoreStaging(in: target)
    #expect(try RestoreStaging.names(in: target) == [staging.name])
    #expect(try attributes("\(staging.name)")[.posixPermissions] as? Int == 0o700)
    staging.remove()
    #expect(try target.directory.names().isEmpty)
  }

  @Test func `is not taken over while its restore runs`() throws {
    let staging = try RestoreStaging(in: target)
    #expect(performing: { try RestoreStaging(leftAs: staging.name, in: target) }, throws: isDirectoryError)
  }

  @Test func `refuses a second restore`() throws {
    let first = try RestoreStaging(in: target)
    try first.checkIsOnly()
    let second = try RestoreStaging(in: target)
    #expect(performing: { try second.checkIsOnly() }, throws: isDirectoryError)
    second.remove()
    try first.checkIsOnly()
  }

  /// What a killed restore leaves: a folder whose lock is free.
  private func abandoned(_ body: (RestoreStaging) throws -> Void) throws -> BytePath {
    let staging = try RestoreStaging(in: target)
    try body(staging)
    return staging.name
  }

  @Test func `has the journal that was written, and its direction`() throws {
    let none = try abandoned { _ in }
    #expect(try RestoreStaging(leftAs: none, in: target).journal() == nil)
    let forward = try abandoned { try $0.write(journal) }
    let left = try RestoreStaging(leftAs: forward, in: target)
    var written = journal
    written.staging = try left.directory.status().identity.inode
    #expect(try left.journal()?.journal == written && left.journal()?.isBackward == false)
    try left.directory.rename(RestoreJournal.forward, to: left.directory, RestoreJournal.backward)
    #expect(try left.journal()?.isBackward == true)
  }

  @Test func `refuses the copy of a folder that has a journal`() throws {
    var other = journal
    let name = try abandoned { try $0.write(journal) }
    other.staging = 1
    try folder.write("\(name)/\(RestoreJournal.forward)", other.encoded())
    let left = try RestoreStaging(leftAs: name, in: target)
    #expect(performing: { try left.journal() }, throws: isDirectoryError)
    // An older version has written none.
    try folder.write("\(name)/\(RestoreJournal.forward)", journal.encoded())
    #expect(try left.journal()?.journal == journal)
  }

  @Test func `refuses a journal that it cannot read`() throws {
    let name = try abandoned { try $0.write(journal) }
    try folder.write("\(name)/\(RestoreJournal.forward)", Array("{}".utf8))
    let left = try RestoreStaging(leftAs: name, in: target)
    #expect(performing: { try left.journal() }, throws: isDirectoryError)
  }

  @Test func `stays as long as it has a journal`() throws {
    let name = try abandoned {
      try $0.write(journal)
      $0.remove()
    }
    #expect(try target.directory.names() == [name])
  }

  @Test func `changes nothing in a dry run`() throws {
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/.sluice-restore-0", withIntermediateDirectories: false)
    _ = try RestoreStaging(leftAs: ".sluice-restore-0", in: target, dryRun: true)
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/.sluice-restore-0").isEmpty)
  }

  @Test(.enabled(if: geteuid() == 0, "only root may give a folder away"))
  func `refuses a folder that another user has made`() throws {
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/.sluice-restore-0", withIntermediateDirectories: false)
    chown("\(folder.path)/.sluice-restore-0", 1234, 1234)
    #expect(
      performing: { try RestoreStaging(leftAs: ".sluice-restore-0", in: target) }, throws: isDirectoryError)
  }

  // MARK: staging files

  private func stage(_ backup: TestBackup, replacing name: BytePath? = nil) throws -> (
    name: String, inode: UInt64
  ) {
    let staging = try RestoreStaging(in: target)
    let inode = try Way.file.withPath(backup.bytes()) { path in
      try staging.stage(
        "a.txt", of: RestorableArchive(path: path, isInterrupted: { false }), as: 7,
        replacing: name.flatMap { try target.directory.status($0) }
      ) { _ in }
    }
    return ("\(staging.name)/7", inode)
  }

  @Test func `gives a new file no more permissions than the directory has`() throws {
    chmod(folder.path, 0o710)
    let target = try RestoreTarget(path: folder.path)
    let staging = try RestoreStaging(in: target)
    try Way.file.withPath(TestBackup().bytes()) { path in
      _ = try staging.stage(
        "a.txt", of: RestorableArchive(path: path, isInterrupted: { false }), as: 7, replacing: nil
      ) { _ in }
    }
    // The archive has 0o640.
    #expect(try attributes("\(staging.name)/7")[.posixPermissions] as? Int == 0o600)
  }

  @Test func `gives a file the mode of the one that it replaces`() throws {
    try folder.write("old")
    chmod("\(folder.path)/old", 0o604)
    let (name, inode) = try stage(TestBackup(), replacing: "old")
    #expect(try attributes(name)[.posixPermissions] as? Int == 0o604)
    #expect(try attributes(name)[.systemFileNumber] as? UInt64 == inode)
    #expect(try String(contentsOfFile: "\(folder.path)/\(name)", encoding: .utf8) == "one")
  }

  @Test func `stages nothing that is not what the manifest says`() throws {
    var backup = TestBackup()
    backup.manifest.entries[0].sha256 = ""
    #expect {
      try stage(backup)
    } throws: {
      if case RestoreError.damaged("a.txt: its SHA-256 is not what the manifest says") = $0 {
        true
      } else {
        false
      }
    }
  }
}
