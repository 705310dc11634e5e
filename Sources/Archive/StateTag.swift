import Crypto
import System
import Zip

/// What tells the state of all that goes into an archive from every other: it may change when nothing did, and never
/// stays the same when something did.
///
/// Of each file it has device, inode, size and times; of each database, what SQLite itself keeps. They are of the moment
/// before the content is read. So a file that is changed later, be it while it is read, has other times from then on,
/// unless the clock that they are taken from has not moved meanwhile. Where it may not have, nothing can be promised,
/// and the tag is one of its own. (Git calls such a file racily clean.)
///
/// One thing moves no time of a file: a second write to a page of it that is mapped into memory and dirty already.
/// SQLite writes no database so.
struct StateTag {
  private let inspectedAt: Int64
  private var hash = SHA256()
  private var isCertain = true

  /// - Parameter inspectedAt: a moment before any of the files was inspected, in nanoseconds since 1970.
  init(inspectedAt: Int64) { self.inspectedAt = inspectedAt }

  /// Adds a text, so that no two sequences of texts are one.
  mutating func add(_ text: String) { add(Array(text.utf8)) }

  mutating func add(_ item: ArchiveItem) throws(BackupError) {
    add(item.entry.name)
    add(numbers: [item.entry.modified, Int64(item.entry.permissions), Int64(bitPattern: item.entry.size)])
    add(try item.snapshotState())
    guard let status = item.status else { return }
    add(numbers: [
      Int64(bitPattern: status.identity.device), Int64(bitPattern: status.identity.inode),
      Int64(bitPattern: status.size), status.modifiedAt.seconds, status.modifiedAt.nanoseconds,
      status.changedAt.seconds, status.changedAt.nanoseconds,
    ])
    if status.changedAt.mayRecur(at: inspectedAt) { isCertain = false }
    // A commit that was in the WAL may be in the database by now, and the WAL empty: neither the old times nor the pin tell.
    if item.isPinned, item.hasChanged { isCertain = false }
  }

  private mutating func add(numbers: [Int64]) {
    var bytes: [UInt8] = []
    for number in numbers { bytes.append(littleEndian: number) }
    hash.update(data: bytes)
  }

  private mutating func add(_ bytes: [UInt8]) {
    add(numbers: [Int64(bytes.count)])
    hash.update(data: bytes)
  }

  /// 128 bits in hexadecimal.
  var text: String {
    guard isCertain else { return Self.unique() }
    return hash.finalize().prefix(16).hexadecimal
  }

  /// 128 bits that no other archive has, and that no client can guess.
  static func unique() -> String {
    var random = SystemRandomNumberGenerator()
    return (0..<16).map { _ in random.next() as UInt8 }.hexadecimal
  }
}
