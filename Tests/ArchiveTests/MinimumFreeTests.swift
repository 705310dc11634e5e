import Testing

@testable import Archive
@testable import System

struct MinimumFreeTests {
  /// The needed bytes with which the growth of one WAL by one byte is refused on a file system of `total` bytes that is full.
  private func needed(by minimum: MinimumFree, of total: UInt64) -> UInt64? {
    do throws(BackupError) {
      try minimum.check([("a.db", 1, FileSystemSpace(id: 1, available: 0, total: total))])
    } catch {
      if case .spaceLow(_, _, let needed) = error { return needed }
    }
    return nil
  }

  @Test(
    arguments: [
      (MinimumFree.standard, 100 << 20, 5 << 20),
      (.standard, 20 << 30, 1 << 30),
      (.standard, 252 << 30, 1 << 30),
      // What the administrator names is taken as given.
      (.share(tenThousandths: 500), 2000 << 30, 100 << 30),
      (.bytes(4 << 30), 252 << 30, 4 << 30),
    ] as [(MinimumFree, UInt64, UInt64)])
  func `a file system keeps its share, by default at most 1 GiB`(
    minimum: MinimumFree, total: UInt64, expected: UInt64
  ) throws {
    let kept = try #require(needed(by: minimum, of: total))
    // A share is rounded down, by less than one byte for each of its parts.
    #expect(kept <= expected && expected - kept < 10_000)
  }

  @Test func `8 GB free of 252 GB do not end a backup until the WALs have grown by as much`() throws {
    let space = FileSystemSpace(id: 1, available: 8 << 30, total: 252 << 30)
    try MinimumFree.standard.check([("a.db", 1, space), ("b.db", 4 << 30, space)])
    #expect(throws: BackupError.self) {
      try MinimumFree.standard.check([("a.db", 4 << 30, space), ("b.db", 5 << 30, space)])
    }
    #expect(throws: BackupError.self) {
      try MinimumFree.share(tenThousandths: 500).check([("a.db", 1, space)])
    }
  }

  @Test(arguments: [MinimumFree.bytes(0), .share(tenThousandths: 0)])
  func `nothing has to stay free`(minimum: MinimumFree) {
    #expect(needed(by: minimum, of: 1 << 30) == nil)
  }
}
