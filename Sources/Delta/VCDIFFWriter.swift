import System

/// Writes a VCDIFF: windows of instructions that make one file, the target, out of another, the source, and out of what is added.
///
/// It holds one window. There is no secondary compression, no application header and no checksum; the code table is the default
/// one, and every address has mode 0, VCD_SELF.
///
///     header    D6 C3 C4 version 0, Hdr_Indicator 0
///     window    Win_Indicator [source segment size, position]
///               length of what follows: target window size, Delta_Indicator 0, the three sections' lengths,
///               data, instructions, addresses
///
/// RFC 3284 §4.
package struct VCDIFFWriter {
  /// The target's bytes in one window, at the most. xdelta3 takes 8 MiB by default, others less.
  package static let windowSize = 1 << 20
  /// What one window copies from lies within so many bytes of the source: a decoder may hold them.
  static let maximumSegmentSize: UInt64 = 4 << 20

  /// The magic, version 0, Hdr_Indicator 0.
  static let header: [UInt8] = [0xD6, 0xC3, 0xC4, 0, 0]
  /// Win_Indicator: VCD_SOURCE.
  static let source: UInt8 = 1

  /// RFC 3284 §5.6: the instructions whose size follows.
  enum Code {
    static let run: UInt8 = 0
    static let add: UInt8 = 1
    static let copy: UInt8 = 19
  }

  private enum Instruction {
    case run(Int)
    case add(Int)
    case copy(Range<UInt64>)
  }

  private var output = Self.header
  // The window.
  private var instructions: [Instruction] = []
  private var data: [UInt8] = []
  private var targetCount = 0
  private var segment: Range<UInt64>?

  package init() {}

  /// Adds bytes that the source does not have.
  package mutating func add(_ bytes: [UInt8], _ range: Range<Int>? = nil) {
    var rest = range ?? bytes.indices
    while !rest.isEmpty {
      let count = min(rest.count, room())
      data += bytes[rest.lowerBound..<rest.lowerBound + count]
      targetCount += count
      if case .add(let before)? = instructions.last {
        instructions[instructions.count - 1] = .add(before + count)
      } else {
        instructions.append(.add(count))
      }
      rest = rest.lowerBound + count..<rest.upperBound
    }
  }

  /// Adds one byte many times.
  package mutating func run(_ byte: UInt8, count: Int) {
    var left = count
    while left > 0 {
      let count = min(left, room())
      data.append(byte)
      targetCount += count
      instructions.append(.run(count))
      left -= count
    }
  }

  /// Copies bytes of the source.
  package mutating func copy(_ source: Range<UInt64>) {
    var rest = source
    while !rest.isEmpty {
      let count = UInt64(min(rest.count, room()))
      let piece = rest.lowerBound..<rest.lowerBound + count
      let lower = min(segment?.lowerBound ?? piece.lowerBound, piece.lowerBound)
      let upper = max(segment?.upperBound ?? piece.upperBound, piece.upperBound)
      guard upper - lower <= Self.maximumSegmentSize else {
        endWindow()
        continue
      }
      segment = lower..<upper
      targetCount += Int(count)
      if case .copy(let before)? = instructions.last, before.upperBound == piece.lowerBound {
        instructions[instructions.count - 1] = .copy(before.lowerBound..<piece.upperBound)
      } else {
        instructions.append(.copy(piece))
      }
      rest = piece.upperBound..<rest.upperBound
    }
  }

  /// How much fits into the window, which is ended if that is nothing.
  private mutating func room() -> Int {
    if targetCount == Self.windowSize { endWindow() }
    return Self.windowSize - targetCount
  }

  /// The windows that are whole, and the header before the first.
  package mutating func takeOutput() -> [UInt8] {
    defer { output = [] }
    return output
  }

  /// Ends the last window.
  package mutating func finish() { endWindow() }

  /// RFC 3284 §4.2 and §4.3.
  private mutating func endWindow() {
    guard targetCount > 0 else { return }
    var codes: [UInt8] = []
    var addresses: [UInt8] = []
    for instruction in instructions {
      switch instruction {
      case .run(let count):
        codes.append(Code.run)
        codes.append(vcdiff: UInt64(count))
      case .add(let count):
        codes.append(Code.add)
        codes.append(vcdiff: UInt64(count))
      case .copy(let source):
        codes.append(Code.copy)
        codes.append(vcdiff: UInt64(source.count))
        addresses.append(vcdiff: source.lowerBound - (segment?.lowerBound ?? 0))
      }
    }
    var encoding: [UInt8] = []
    encoding.append(vcdiff: UInt64(targetCount))  // length of the target window
    encoding.append(0)  // Delta_Indicator: no section is compressed
    encoding.append(vcdiff: UInt64(data.count))  // length of data for ADDs and RUNs
    encoding.append(vcdiff: UInt64(codes.count))  // length of instructions and sizes
    encoding.append(vcdiff: UInt64(addresses.count))  // length of addresses for COPYs

    output.append(segment == nil ? 0 : Self.source)  // Win_Indicator
    if let segment {
      output.append(vcdiff: UInt64(segment.count))  // source segment size
      output.append(vcdiff: segment.lowerBound)  // source segment position
    }
    output.append(vcdiff: UInt64(encoding.count + data.count + codes.count + addresses.count))
    output += encoding
    output += data
    output += codes
    output += addresses

    instructions = []
    data = []
    targetCount = 0
    segment = nil
  }
}

extension [UInt8] {
  /// Appends an integer: seven bits a byte, the highest first, and the eighth bit in all but the last.
  ///
  /// RFC 3284 §2.
  mutating func append(vcdiff value: UInt64) {
    var shift = 63
    while shift > 0, value >> UInt64(shift) == 0 { shift -= 7 }
    while shift >= 0 {
      append(UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 0x7f | (shift > 0 ? 0x80 : 0))
      shift -= 7
    }
  }
}
