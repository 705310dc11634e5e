/// The last bytes of an archive under way, which its client may not have got although they were sent.
package struct RetainedOutput {
  /// In the archive: of the first byte that is held, and behind the last that was made.
  package private(set) var start: UInt64 = 0
  package private(set) var end: UInt64 = 0
  /// As they were made, so that none is copied.
  private var pieces: [[UInt8]] = []

  /// Whether everything from `offset` on is held.
  package func holds(_ offset: UInt64) -> Bool { start <= offset && offset <= end }

  package mutating func append(_ chunk: [[UInt8]]) {
    pieces += chunk
    end += chunk.reduce(0) { $0 + UInt64($1.count) }
  }

  /// Drops pieces from the front as long as `count` bytes are left.
  package mutating func trim(to count: Int) {
    var dropped = 0
    while dropped < pieces.count, end - start - UInt64(pieces[dropped].count) >= UInt64(count) {
      start += UInt64(pieces[dropped].count)
      dropped += 1
    }
    pieces.removeFirst(dropped)
  }

  /// What is held of some positions.
  package func pieces(_ positions: Range<UInt64>) -> [[UInt8]] {
    var position = start
    var found: [[UInt8]] = []
    for piece in pieces {
      let range = position..<position + UInt64(piece.count)
      let part = range.clamped(to: positions)
      if part == range {
        found.append(piece)
      } else if !part.isEmpty {
        found.append(Array(piece[Int(part.lowerBound - position)..<Int(part.upperBound - position)]))
      }
      position = range.upperBound
    }
    return found
  }
}
