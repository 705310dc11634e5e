/// Bytes that go out together, in the pieces in which they were made: what is large is never copied.
struct Chunk {
  /// In order. There are few: each but the last holds more than `joinedSize` together with the one after it.
  private(set) var pieces: [[UInt8]] = []
  /// In bytes.
  private(set) var count = 0

  /// What is smaller is joined to what goes before it, up to this size.
  private static let joinedSize = 64 * 1024

  mutating func append(_ bytes: [UInt8]) {
    count += bytes.count
    if let last = pieces.indices.last, pieces[last].count + bytes.count <= Self.joinedSize {
      pieces[last] += bytes
    } else {
      pieces.append(bytes)
    }
  }
}
