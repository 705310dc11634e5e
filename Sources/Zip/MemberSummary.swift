/// What has become of a member's data as far as it was added.
public struct MemberSummary: Equatable, Sendable {
  /// Its name in the archive.
  public let name: String
  /// The CRC-32 of its data.
  public let crc32: UInt32
  /// The length of its data in the archive, in bytes.
  public let compressedSize: UInt64
  /// The length of its data, in bytes.
  public let size: UInt64
}
