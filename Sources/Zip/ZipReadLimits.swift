/// How much of an archive is taken on trust: what a reader needs memory or room for grows with these and nothing else.
package struct ZipReadLimits: Sendable {
  /// Members. An archive of ours has at most 10,002.
  package var memberCount: Int
  /// Bytes of the central directory, which is held in memory in another form.
  package var directorySize: UInt64
  /// Bytes of data of all members together, uncompressed.
  package var totalSize: UInt64

  /// Enough for every archive that is meant honestly.
  package static let standard = ZipReadLimits(
    memberCount: 20_000, directorySize: 8 << 20, totalSize: ZipEntry.maximumSize)

  /// Makes limits of all three.
  package init(memberCount: Int, directorySize: UInt64, totalSize: UInt64) {
    self.memberCount = memberCount
    self.directorySize = directorySize
    self.totalSize = min(totalSize, ZipEntry.maximumSize)
  }
}
