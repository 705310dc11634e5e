/// What a client has got of an archive, over however many connections.
package struct Delivery: Equatable {
  /// Of the archive, as far as it was sent.
  package private(set) var byteCount: UInt64 = 0
  /// Of its beginning, as far as nothing is missing.
  private var gapless: UInt64 = 0
  /// The same, with what was on its way when a connection broke.
  private var offered: UInt64 = 0

  package init() {}

  /// Notes what is being sent: of this, a client whose connection breaks may have any part.
  package mutating func offer(_ range: Range<UInt64>) {
    if range.lowerBound <= gapless { offered = max(offered, range.upperBound) }
  }

  /// Notes what the client took. One that asks for ranges may leave some out.
  package mutating func confirm(_ range: Range<UInt64>) {
    byteCount = max(byteCount, range.upperBound)
    if range.lowerBound <= gapless { gapless = max(gapless, range.upperBound) }
  }

  /// Notes that a client asks for all from an offset on: it has what stands before, if that was ever sent.
  package mutating func resume(at offset: UInt64) {
    if offset <= offered { gapless = max(gapless, offset) }
  }

  /// Whether the client took every byte.
  package func isWhole(_ length: UInt64?) -> Bool { gapless == length }
}
