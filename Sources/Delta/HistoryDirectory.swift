import Crypto
import System

/// What the end of a history says of the archive.
///
///     request, tag        a length of 2 bytes and the text, each
///     seed, salt          32 and 16 bytes
///     members             a count of 4 bytes; of each, its name as above, where its data begins, and its size, 8 bytes each
struct HistoryDirectory {
  static let saltSize = 16

  var request: String
  var tag: String
  var seed: [UInt8]
  /// Goes into the check of every group, so that no group of another archive fits.
  var salt: [UInt8]
  private(set) var members: [ArchiveHistory.Member] = []
  private(set) var unitCount: UInt64 = 0

  init(request: String, tag: String, seed: [UInt8], salt: [UInt8]) {
    self.request = request
    self.tag = tag
    self.seed = seed
    self.salt = salt
  }

  mutating func append(_ name: String, dataOffset: UInt64, size: UInt64) {
    members.append(
      ArchiveHistory.Member(name: name, dataOffset: dataOffset, size: size, firstUnit: unitCount))
    unitCount += ArchiveHistory.Member.unitCount(of: size)
  }

  mutating func removeMembers() {
    members = []
    unitCount = 0
  }

  // MARK: sizes

  var groupCount: UInt64 {
    let size = UInt64(ArchiveHistory.groupSize)
    return unitCount / size + (unitCount % size > 0 ? 1 : 0)
  }

  /// In bytes, without its check.
  func sizeOfGroup(_ index: UInt64) -> Int {
    Int(min(UInt64(ArchiveHistory.groupSize), unitCount - index * UInt64(ArchiveHistory.groupSize)))
      * UnitHash.digestSize
  }

  func fileSize(directorySize: UInt64) -> UInt64 {
    UInt64(ArchiveHistory.magic.count) + unitCount * UInt64(UnitHash.digestSize)
      + groupCount * UInt64(ArchiveHistory.checkSize) + directorySize + ArchiveHistory.footSize
  }

  // MARK: bytes

  var encoded: [UInt8] {
    var bytes: [UInt8] = []
    Self.append(request, to: &bytes)
    Self.append(tag, to: &bytes)
    bytes += seed + salt
    bytes.append(littleEndian: UInt32(members.count))
    for member in members {
      Self.append(member.name, to: &bytes)
      bytes.append(littleEndian: member.dataOffset)
      bytes.append(littleEndian: member.size)
    }
    return bytes
  }

  private static func append(_ text: String, to bytes: inout [UInt8]) {
    bytes.append(littleEndian: UInt16(text.utf8.count))
    bytes += text.utf8
  }

  /// SHA-256 of a directory, with the magic and the size that stand around it.
  static func check(_ bytes: [UInt8], _ foot: [UInt8]) -> SHA256.Digest {
    var hash = SHA256()
    hash.update(data: ArchiveHistory.magic)
    hash.update(data: bytes)
    hash.update(data: foot.prefix(8))
    return hash.finalize()
  }

  /// - Returns: nil if it is none.
  init?(_ bytes: [UInt8]) {
    var rest = 0
    func take(_ count: Int) -> [UInt8]? {
      guard count <= bytes.count - rest else { return nil }
      defer { rest += count }
      return Array(bytes[rest..<rest + count])
    }
    func text() -> String? {
      guard let count = take(2) else { return nil }
      return take(Int(count.littleEndian(at: 0) as UInt16)).flatMap { String(validating: $0, as: UTF8.self) }
    }
    guard let request = text(), let tag = text(), let seed = take(UnitHash.seedSize),
      let salt = take(Self.saltSize), let count = take(4)
    else { return nil }
    self.init(request: request, tag: tag, seed: seed, salt: salt)
    for _ in 0..<(count.littleEndian(at: 0) as UInt32) {
      guard let name = text(), let numbers = take(16) else { return nil }
      let (offset, size): (UInt64, UInt64) = (numbers.littleEndian(at: 0), numbers.littleEndian(at: 8))
      guard size <= 1 << 48, offset <= 1 << 60 else { return nil }
      append(name, dataOffset: offset, size: size)
    }
    guard rest == bytes.count else { return nil }
  }
}
