/// One range of a representation's bytes, as a client asks for it.
///
/// RFC 9110 §14.1.2 and §14.2.
package enum ByteRange: Sendable, Hashable {
  /// Everything from a byte on: `bytes=500-`.
  case from(UInt64)
  /// From a byte to another, that one included: `bytes=500-999`.
  case closed(ClosedRange<UInt64>)
  /// So many bytes at the end: `bytes=-500`.
  case suffix(UInt64)

  /// For content whose length is not known yet, since a `Content-Range` must name its last byte: RFC 8673 §2.1, "a
  /// very large value", and the one that it gives.
  private static let veryLarge: UInt64 = 1 << 53 - 1

  /// What a request asks for, or the first of several ranges: RFC 9110 §15.3.7.2 allows a part of what was asked for. Nil if
  /// it asks for everything, or in a form that is ignored, as §14.2 allows: another unit, another method than GET.
  package init?(of request: RequestHead) {
    let values = request.values("Range")
    guard request.method == .get, values.count == 1, let value = values.first else { return nil }
    // ranges-specifier = range-unit "=" range-set; units know no capitals.
    let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].lowercased() == "bytes" else { return nil }
    // range-set = 1#range-spec: "A recipient of a range-set with an invalid range-spec" takes none of it.
    var ranges: [ByteRange] = []
    for spec in parts[1].utf8.split(separator: UInt8(ascii: ",")) {
      let start = spec.drop(while: \.isOptionalWhitespace)
      guard let last = start.lastIndex(where: { !$0.isOptionalWhitespace }) else { continue }
      guard let range = ByteRange(Substring(start[...last])) else { return nil }
      ranges.append(range)
    }
    guard let first = ranges.first else { return nil }
    self = first
  }

  /// A `range-spec`: RFC 9110 §14.1.1.
  private init?(_ spec: Substring) {
    let positions = spec.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard positions.count == 2 else { return nil }
    let last = Self.number(positions[1])
    guard last != nil || positions[1].isEmpty else { return nil }
    if let first = Self.number(positions[0]) {
      // "An int-range is invalid if the last-pos value is present and less than first-pos."
      guard last ?? first >= first else { return nil }
      self = last.flatMap { $0 < Self.veryLarge ? .closed(first...$0) : nil } ?? .from(first)
    } else if positions[0].isEmpty, let last {
      self = .suffix(last)
    } else {
      return nil
    }
  }

  private static func number(_ digits: Substring) -> UInt64? {
    // No more than a signed number holds: there are no more bytes anywhere.
    guard !digits.isEmpty, digits.utf8.allSatisfy({ UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") })
    else { return nil }
    return Int64(digits).map { UInt64($0) }
  }

  /// Whether it is of everything from a byte on.
  package var isOpen: Bool { if case .from = self { true } else { false } }

  /// Whether it begins with the first byte.
  package var isFromStart: Bool {
    switch self {
    case .from(let first): first == 0
    case .closed(let range): range.lowerBound == 0
    case .suffix: false
    }
  }

  /// The positions that are asked for.
  ///
  /// - Parameter length: of the whole, in bytes; nil if it is not known, and an open range then ends at a very large one.
  /// - Returns: an empty range if there are none; nil if only the length would tell.
  package func positions(in length: UInt64?) -> Range<UInt64>? {
    guard let length else {
      if case .from(let first) = self { return first..<max(first, Self.veryLarge + 1) }
      return nil
    }
    return switch self {
    case .from(let first): min(first, length)..<length
    case .closed(let range): min(range.lowerBound, length)..<min(range.upperBound + 1, length)
    case .suffix(let count): length - min(count, length)..<length
    }
  }

  /// The `Content-Range` of a 206 (Partial Content): RFC 9110 §14.4.
  ///
  /// - Parameters:
  ///   - positions: not empty.
  ///   - length: of the whole, in bytes; nil if it is not known.
  package static func content(_ positions: Range<UInt64>, of length: UInt64?) -> FieldLine {
    FieldLine(
      name: "Content-Range",
      value: "bytes \(positions.lowerBound)-\(positions.upperBound - 1)/\(length.map { "\($0)" } ?? "*")")
  }

  /// The `Content-Range` of a 416 (Range Not Satisfiable): RFC 9110 §14.4.
  package static func unsatisfied(length: UInt64) -> FieldLine {
    FieldLine(name: "Content-Range", value: "bytes */\(length)")
  }
}
