/// What has become of a member's data as far as it was added.
package struct MemberSummary: Equatable, Sendable {
  /// Its name in the archive.
  package let name: String
  /// The CRC-32 of its data.
  package let crc32: UInt32
  /// The length of its data in the archive, in bytes.
  package let compressedSize: UInt64
  /// The length of its data, in bytes.
  package let size: UInt64
}
