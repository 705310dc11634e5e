import System
import Testing
import Zip

@testable import Archive

struct ReaderLimitsTests {
  private func manifest(skipped: [Skipped] = []) -> Manifest {
    Manifest(
      generator: "sluice test", name: "test", appVersion: "1", created: "2026-11-28T03:15:02Z",
      snapshotSkewMilliseconds: 0, complete: skipped.isEmpty, entries: [], skipped: skipped)
  }

  private func items(_ count: Int, _ name: (Int) -> String) -> [ArchiveItem] {
    (0..<count).map { ArchiveItem(name: name($0), bytes: [1], modified: 0) }
  }

  private func refusal(_ items: [ArchiveItem], _ manifest: Manifest) -> String? {
    do throws(BackupError) { try ReaderLimits.check(items, manifest) } catch {
      guard case .tooLarge(let detail) = error else { return "\(error)" }
      return detail
    }
    return nil
  }

  private static let long = String(repeating: "n", count: 2_000)

  @Test func `lets pass what is read`() {
    #expect(refusal(items(9_000) { "floor_plan/\($0).txt" }, manifest()) == nil)
    // Near the limits: the manifest is made to see that it is below them.
    #expect(refusal(items(700) { "\(Self.long)/\($0)" }, manifest()) == nil)
  }

  @Test func `refuses names that the central directory has no room for`() {
    #expect(refusal(items(4_200) { "\(Self.long)/\($0)" }, manifest())?.contains("directory") == true)
  }

  @Test func `refuses folders that a restore has no room for in its journal`() {
    let deep = (0..<31).map { _ in "abcdefgh" }.joined(separator: "/")
    #expect(refusal(items(2_000) { "\($0)/\(deep)/x" }, manifest())?.contains("folders") == true)
  }

  @Test(arguments: ["detail", String(repeating: "\"\u{7}", count: 200)])
  func `refuses a manifest that is not read`(detail: String) {
    let count = detail.utf8.count < 100 ? 60_000 : 5_000
    let skipped = (0..<count).map { Skipped(path: "\($0)", reason: "changed", detail: detail) }
    #expect(refusal(items(1) { "\($0)" }, manifest(skipped: skipped))?.contains("manifest") == true)
  }

  @Test func `refuses more data than is read`() {
    let item = ArchiveItem(
      .init(name: "huge", modified: 0, permissions: 0o644, size: 1 << 48), .text([]))
    #expect(refusal([item], manifest())?.contains("bytes") == true)
  }
}
