import Crypto
import System

/// What is kept of an archive that a client has: where the data of each member begins in it, and a digest of every unit of that
/// data. None of the data itself.
///
///     magic                     16 bytes, the version of this format among them
///     the digests               16 bytes for each unit, member after member, in groups of 256 with a check of 16 bytes behind
///                               each group; the last group may be smaller
///     the directory             what `Directory` encodes
///     the directory's size      8 bytes
///     its check                 32 bytes, SHA-256 of all three
///
/// A digest that is damaged equals no unit's, so the unit counts as changed. Everything else is checked.
package final class ArchiveHistory {
  static let magic = Array("sluice history 1".utf8)
  /// Units in one group.
  static let groupSize = 256
  static let checkSize = 16
  static let footSize: UInt64 = 8 + 32
  /// The largest directory, in bytes: that of 10,000 members has 1 MB.
  static let maximumDirectorySize = 16 << 20

  /// A member of the archive.
  package struct Member: Equatable {
    package let name: String
    /// Where its data begins in the archive.
    package let dataOffset: UInt64
    /// Of its data, uncompressed.
    package let size: UInt64
    /// The index of its first unit among all units.
    package let firstUnit: UInt64

    /// How many bytes a unit of it has; 0 behind the end.
    package func byteCount(ofUnit index: UInt64) -> Int {
      let start = index * UInt64(UnitHash.unitSize)
      return start < size ? Int(min(size - start, UInt64(UnitHash.unitSize))) : 0
    }

    var unitCount: UInt64 { Self.unitCount(of: size) }

    static func unitCount(of size: UInt64) -> UInt64 {
      size / UInt64(UnitHash.unitSize) + (size % UInt64(UnitHash.unitSize) > 0 ? 1 : 0)
    }
  }

  package let tag: String
  package let hash: UnitHash
  private let directory: HistoryDirectory
  private let members: [BytePath: Member]
  private let file: Descriptor
  // The group that was read last.
  private var group: (index: UInt64, digests: [UInt8])?

  /// Reads the directory and checks the whole file, of which it holds one group at a time.
  ///
  /// - Parameters:
  ///   - file: open for reading.
  ///   - request: for which the archive is to be.
  /// - Returns: nil if it is no whole history of that archive.
  init?(_ file: consuming Descriptor, tag: String, request: String) {
    guard let directory = Self.readDirectory(file), directory.tag == tag, directory.request == request else {
      return nil
    }
    self.tag = tag
    hash = UnitHash(seed: directory.seed)
    self.directory = directory
    members = Dictionary(directory.members.map { (BytePath($0.name), $0) }) { first, _ in first }
    self.file = file
    for index in 0..<directory.groupCount where readGroup(index) == nil { return nil }
    group = nil
  }

  /// The member of a name.
  package func member(_ name: String) -> Member? { members[BytePath(name)] }

  /// Whether a unit of a member has this digest; false also if that is not known any more.
  ///
  /// - Parameters:
  ///   - unit: its index among the member's.
  ///   - digests: in which its digest stands at `index`.
  package func matches(_ unit: UInt64, of member: Member, _ digests: [UInt8], at index: Int) -> Bool {
    let unit = member.firstUnit + unit
    let groupIndex = unit / UInt64(Self.groupSize)
    if group?.index != groupIndex { group = readGroup(groupIndex).map { (groupIndex, $0) } }
    guard let group else { return false }
    let start = Int(unit % UInt64(Self.groupSize)) * UnitHash.digestSize
    let own = index * UnitHash.digestSize
    for place in 0..<UnitHash.digestSize where group.digests[start + place] != digests[own + place] {
      return false
    }
    return true
  }

  /// - Returns: nil if it cannot be read, or is not what was written.
  private func readGroup(_ index: UInt64) -> [UInt8]? {
    let size = directory.sizeOfGroup(index)
    let place =
      UInt64(Self.magic.count) + index * UInt64(Self.groupSize * UnitHash.digestSize + Self.checkSize)
    guard let bytes = try? file.read(size + Self.checkSize, at: place), bytes.count == size + Self.checkSize
    else { return nil }
    let digests = Array(bytes.prefix(size))
    return Self.check(of: digests, index, salt: directory.salt).elementsEqual(bytes.suffix(Self.checkSize))
      ? digests : nil
  }

  /// It is of this archive and of this place in it, and no other's.
  static func check(of digests: [UInt8], _ index: UInt64, salt: [UInt8]) -> [UInt8] {
    var bytes = salt
    bytes.append(littleEndian: index)
    var hash = SHA256()
    hash.update(data: bytes)
    hash.update(data: digests)
    return Array(hash.finalize().prefix(checkSize))
  }

  private static func readDirectory(_ file: borrowing Descriptor) -> HistoryDirectory? {
    guard let size = try? file.status().size, size >= UInt64(magic.count) + footSize,
      let foot = try? file.read(Int(footSize), at: size - footSize), foot.count == Int(footSize),
      let head = try? file.read(magic.count, at: 0), head == magic
    else { return nil }
    let count: UInt64 = foot.littleEndian(at: 0)
    guard count <= UInt64(maximumDirectorySize), count <= size - footSize - UInt64(magic.count),
      let bytes = try? file.read(Int(count), at: size - footSize - count),
      HistoryDirectory.check(bytes, foot).elementsEqual(foot.suffix(32)),
      let directory = HistoryDirectory(bytes),
      directory.fileSize(directorySize: count) == size
    else { return nil }
    return directory
  }
}
