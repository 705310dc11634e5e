/// What the records of an archive say of one member.
package struct ZipMember: Sendable {
  /// The path in the archive, which passes ``ZipEntry/checkName()``; without the slash that a directory's ends with.
  package let name: String
  /// Whether it is a directory, which has no data. Archives of ours have none.
  package let isDirectory: Bool
  /// In bytes, uncompressed.
  package let size: UInt64
  /// The length of its data in the archive, in bytes.
  package let compressedSize: UInt64
  /// The CRC-32 of its data.
  package let crc32: UInt32
  /// When it was last changed: seconds since 1970.
  package let modified: Int64
  /// Unix permission bits; `0o644` when the archive says nothing of them.
  package let permissions: UInt16

  let method: UInt16
  /// Where its compressed data begins.
  let dataOffset: UInt64
}
