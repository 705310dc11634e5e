import SQLiteSnapshot
import System

/// How much room a file system must keep while WALs on it grow because their databases are pinned.
package enum MinimumFree: Sendable, Equatable {
  /// In bytes; with 0, a WAL may fill its file system.
  case bytes(UInt64)
  /// Of the whole file system, but at most so many bytes.
  case share(tenThousandths: UInt64, atMost: UInt64 = .max)

  /// 5 %, at most 1 GiB: on a large disk, 5 % is far more than a WAL grows by while a backup holds it, and to have less is common.
  package static let standard = MinimumFree.share(tenThousandths: 500, atMost: 1 << 30)

  /// Checks WALs that grow while their databases are pinned. One that does not grow takes no room, and to release it makes none.
  ///
  /// As long as there is as much room as the WALs have grown by, they can go on as they did until the next check.
  /// - Parameters:
  ///   - wals: of each by how much it has grown, and its file system; nil where that does not say.
  ///   - margin: how many times as much room there must be.
  /// - Throws: `spaceLow`.
  func check(
    _ wals: [(path: String, growth: UInt64, space: FileSystemSpace?)], margin: UInt64 = 1
  ) throws(BackupError) {
    guard self != .bytes(0), self != .share(tenThousandths: 0) else { return }
    var growth: [UInt: UInt64] = [:]
    for wal in wals {
      guard let space = wal.space, wal.growth > 0 else { continue }
      growth[space.id, default: 0] += wal.growth
      let needed = max(bytes(of: space.total), growth[space.id] ?? 0) * margin
      guard space.available >= needed else {
        throw .spaceLow(path: wal.path, available: space.available, needed: needed)
      }
    }
  }

  /// Whether a file system keeps as much room when so many bytes are written to a file in a directory of it.
  func isKept(when byteCount: UInt64, isWrittenIn directory: String) -> Bool {
    guard let space = FileSystemSpace(of: BytePath(directory)) else { return true }
    return byteCount <= space.available && bytes(of: space.total) <= space.available - byteCount
  }

  /// What a file system of so many bytes must keep.
  private func bytes(of total: UInt64) -> UInt64 {
    switch self {
    case .bytes(let count): count
    case .share(let tenThousandths, let most): min(total / 10_000 * tenThousandths, most)
    }
  }
}
