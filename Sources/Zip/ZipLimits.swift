/// From which values on a field of the classic format is full and zip64 takes its place. Tests shrink them, so
/// that small archives have large archives' records.
///
/// APPNOTE 4.4.1.4.
package struct ZipLimits: Sendable {
  /// The first size or offset that does not fit a four-byte field: its greatest value is the mark for
  /// "see zip64".
  package var size: UInt64
  /// The first number of members that does not fit a two-byte field.
  package var count: UInt64

  /// The limits of the format itself.
  package static let standard = ZipLimits(size: 0xffff_ffff, count: 0xffff)

  /// Sets other limits; above the standard ones they are capped to them.
  package init(size: UInt64, count: UInt64) {
    self.size = min(size, 0xffff_ffff)
    self.count = min(count, 0xffff)
  }

  /// A size or an offset as its four-byte field has it: itself, or the mark that sends the reader to zip64.
  func field(size value: UInt64) -> UInt32 { value < size ? UInt32(value) : .max }

  /// A number of members as its two-byte field has it: itself, or the mark that sends the reader to zip64.
  func field(count value: UInt64) -> UInt16 { value < count ? UInt16(value) : .max }
}
