/// The rest of a representation, from a byte on: the one form of `Range` that is served.
///
/// RFC 9110 §14.1.2 and §14.2.
public struct ByteRange: Sendable, Hashable {
  /// The number of bytes before it.
  public let first: UInt64

  /// For content whose length nobody knows yet, since a `Content-Range` must name its last byte: RFC 8673 §2.1, "a
  /// very large value", and the one that it gives.
  private static let veryLarge: UInt64 = 1 << 53 - 1

  /// What a request asks for; nil if it asks for everything, or in a form that is ignored, as RFC 9110 §14.2 allows:
  /// several ranges, a suffix, an end that is told, another unit, another method than GET.
  public init?(of request: RequestHead) {
    let values = request.values("Range")
    guard request.method == .get, values.count == 1, let value = values.first else { return nil }
    // ranges-specifier = range-unit "=" range-set; units know no capitals.
    let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].lowercased() == "bytes" else { return nil }
    let positions = parts[1].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard positions.count == 2, let first = Self.number(positions[0]) else { return nil }
    let hasNoEnd = positions[1].isEmpty || (Self.number(positions[1]) ?? 0) >= Self.veryLarge
    guard hasNoEnd else { return nil }
    self.first = first
  }

  private static func number(_ digits: Substring) -> UInt64? {
    // No more than a signed number holds: nobody has more bytes.
    guard !digits.isEmpty, digits.utf8.allSatisfy({ UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") })
    else { return nil }
    return Int64(digits).map { UInt64($0) }
  }

  /// The `Content-Range` of a 206 (Partial Content): RFC 9110 §14.4.
  ///
  /// - Parameter length: of the whole, in bytes, and more than `first`; nil if it is not known.
  public func contentRange(of length: UInt64?) -> FieldLine {
    let last = length.map { $0 - 1 } ?? Self.veryLarge
    return FieldLine(
      name: "Content-Range", value: "bytes \(first)-\(last)/\(length.map { "\($0)" } ?? "*")")
  }

  /// The `Content-Range` of a 416 (Range Not Satisfiable): RFC 9110 §14.4.
  public static func unsatisfied(length: UInt64) -> FieldLine {
    FieldLine(name: "Content-Range", value: "bytes */\(length)")
  }
}
