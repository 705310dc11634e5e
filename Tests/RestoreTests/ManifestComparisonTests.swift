import System
import Testing

@testable import Archive
@testable import Restore

struct ManifestComparisonTests {
  private var backup = TestBackup()

  private var comparison: ManifestComparison { ManifestComparison(backup.manifest) }
  private var paths: Set<BytePath> { Set(backup.files.map { BytePath($0.name) }) }

  private func content(_ text: String) -> EntryContent {
    let entry = TestBackup.entry("", Array(text.utf8))
    return EntryContent(
      size: entry.size, sha256: entry.sha256, crc32: UInt32(entry.crc32, radix: 16) ?? 0)
  }

  @Test func `finds no difference in what is as the manifest says`() {
    #expect(comparison.difference("a.txt", size: 3) == nil)
    #expect(comparison.difference("a.txt", content("one")) == nil)
    #expect(comparison.differences(paths: paths, folders: [], version: Array("1.2.3\n".utf8)).isEmpty)
    #expect(comparison.differences(paths: paths, folders: [], version: nil).isEmpty)
  }

  @Test func `tells in what an entry differs`() {
    #expect(comparison.difference("c.txt", size: 3) == .unlisted)
    #expect(comparison.difference("a.txt", size: 4) == .size(found: 4, listed: 3))
    #expect(comparison.difference("a.txt", content("longer")) == .size(found: 6, listed: 3))
    #expect(comparison.difference("a.txt", content("two")) == .sha256)
    var sameDigest = content("one")
    sameDigest.crc32 ^= 1
    #expect(comparison.difference("a.txt", sameDigest) == .crc32)
  }

  @Test(arguments: [(3, 1, true), (1, 3, true), (3, 2, false), (-3, 1, false), (.max, .max, false)])
  func `counts the pages of a database`(_ pageSize: Int, _ pageCount: UInt32, _ isRight: Bool) {
    var backup = backup
    backup.manifest.entries[0].kind = .database
    backup.manifest.entries[0].database = Manifest.Database(
      journalMode: "wal", pageSize: pageSize, pageCount: pageCount, method: "pinned", takenAt: "")
    #expect(
      ManifestComparison(backup.manifest).difference("a.txt", content("one")) == (isRight ? nil : .pageCount))
  }

  @Test func `tells what is missing, by bytes, and what is listed twice`() {
    var backup = backup
    backup.manifest.entries += [
      TestBackup.entry("e\u{301}", []), TestBackup.entry("\u{e9}", []), TestBackup.entry("a.txt", []),
    ]
    let found = ManifestComparison(backup.manifest).differences(
      paths: paths.union(["\u{e9}"]), folders: [], version: nil)
    #expect(found == [.listedTwice("a.txt"), .missing("e\u{301}")])
  }

  @Test func `takes no manifest that lists itself, and no folder`() {
    var backup = backup
    backup.manifest.entries.append(TestBackup.entry("MANIFEST.json", []))
    let found = ManifestComparison(backup.manifest).differences(
      paths: paths.union(["MANIFEST.json"]), folders: ["floor_plan"], version: nil)
    #expect(found == [.missing("MANIFEST.json"), .folder("floor_plan")])
  }

  @Test func `compares the version, and what the manifest says of itself`() {
    var backup = backup
    backup.manifest.complete = false
    let found = ManifestComparison(backup.manifest).differences(
      paths: paths, folders: [], version: Array("1.2.3".utf8))
    #expect(found == [.version, .completeness(complete: false, skipped: 0)])
  }
}
