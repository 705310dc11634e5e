package import System

/// Makes the target of a VCDIFF out of its source, as `VCDIFFWriter` describes it, in a file.
///
/// What that never writes is refused: other code tables and address modes, a window that copies from the target, secondary
/// compression, an application header, a checksum. It holds one window. What is copied stays in the kernel, and where the file
/// system can, source and target share the blocks.
///
/// RFC 3284 §4.
package struct VCDIFFDecoder: ~Copyable {
  /// What is wrong with a delta.
  package enum Fault: Error, Equatable, CustomStringConvertible {
    /// It does not begin as a VCDIFF of this kind does.
    case noDelta
    /// A window ends before it should.
    case truncated
    /// A window does not agree with itself, or has what is not read here.
    case brokenWindow

    package var description: String {
      switch self {
      case .noDelta: "it is no VCDIFF that is read here"
      case .truncated: "the VCDIFF ends within a window"
      case .brokenWindow: "a window of the VCDIFF is broken, or of a kind that is not read here"
      }
    }
  }

  /// In bytes; `VCDIFFWriter` needs little more than its window.
  private static let maximumEncodingSize: UInt64 = 4 << 20

  /// What has come and was not decoded yet.
  private var bytes: [UInt8] = []
  private var position = 0
  private var hasBegun = false
  /// How much of the target is made.
  private var count: UInt64 = 0

  package init() {}

  /// Takes the next bytes of the delta, and makes as much of the target as they are enough for.
  ///
  /// - Parameter target: empty at first, and always the same.
  /// - Throws: `Fault`; `SystemError`.
  package mutating func append(
    _ more: [UInt8], from source: borrowing Descriptor, into target: borrowing Descriptor
  ) throws {
    bytes += more
    if !hasBegun {
      guard bytes.count >= VCDIFFWriter.header.count else { return }
      guard bytes.starts(with: VCDIFFWriter.header) else { throw Fault.noDelta }
      position = VCDIFFWriter.header.count
      hasBegun = true
    }
    while position < bytes.count {
      let start = position
      do { count += try decodeWindow(from: source, into: target, at: count) } catch Fault.truncated {
        position = start
        break
      }
    }
    bytes.removeFirst(position)
    position = 0
  }

  /// Finds out whether the delta may end here.
  ///
  /// - Throws: `Fault`.
  package func finish() throws {
    guard hasBegun else { throw Fault.noDelta }
    guard bytes.isEmpty else { throw Fault.truncated }
  }

  /// - Returns: how many bytes of the target it has made.
  private mutating func decodeWindow(
    from source: borrowing Descriptor, into target: borrowing Descriptor, at offset: UInt64
  ) throws -> UInt64 {
    var segment: Range<UInt64> = 0..<0
    switch try byte() {
    case 0: break
    case VCDIFFWriter.source:
      let size = try integer()
      let start = try integer()
      // A file has no larger offsets.
      guard size <= Int64.max, start <= UInt64(Int64.max) - size else { throw Fault.brokenWindow }
      segment = start..<start + size
    default: throw Fault.brokenWindow
    }
    let size = try integer()
    guard size <= Self.maximumEncodingSize else { throw Fault.brokenWindow }
    guard bytes.count - position >= Int(size) else { throw Fault.truncated }
    let end = position + Int(size)

    let targetSize = try integer()
    guard try byte() == 0, targetSize <= UInt64(VCDIFFWriter.windowSize) else { throw Fault.brokenWindow }
    let lengths = try [integer(), integer(), integer()]
    guard position <= end, lengths.allSatisfy({ $0 <= size }),
      lengths.reduce(0, +) == UInt64(end - position)
    else { throw Fault.brokenWindow }
    let data = position..<position + Int(lengths[0])
    let codes = data.upperBound..<data.upperBound + Int(lengths[1])
    var window = Window(
      segment: segment, data: bytes[data], codes: bytes[codes], addresses: bytes[codes.upperBound..<end])
    var made: UInt64 = 0
    while let instruction = try window.next() {
      guard UInt64(instruction.count) <= targetSize - made else { throw Fault.brokenWindow }
      switch instruction {
      case .add(let range): try target.write(bytes, range, at: offset + made)
      case .run(let byte, let count):
        try target.write([UInt8](repeating: byte, count: count), at: offset + made)
      case .copy(let range): try target.copy(range, of: source, at: offset + made)
      }
      made += UInt64(instruction.count)
    }
    guard made == targetSize, window.isUsedUp else { throw Fault.brokenWindow }
    position = end
    return made
  }

  // MARK: the delta's bytes

  private mutating func byte() throws -> UInt8 {
    guard position < bytes.count else { throw Fault.truncated }
    defer { position += 1 }
    return bytes[position]
  }

  private mutating func integer() throws -> UInt64 { try Self.integer { try byte() } }

  /// An integer of at most 63 bits. RFC 3284 §2.
  fileprivate static func integer(_ next: () throws -> UInt8?) throws -> UInt64 {
    var value: UInt64 = 0
    while let byte = try next(), value >> 56 == 0 {
      value = value << 7 | UInt64(byte & 0x7f)
      if byte & 0x80 == 0 { return value }
    }
    throw Fault.brokenWindow
  }
}

/// The sections of a window.
private struct Window {
  enum Instruction {
    case run(UInt8, Int)
    /// A part of the delta.
    case add(Range<Int>)
    /// A part of the source.
    case copy(Range<UInt64>)

    var count: Int {
      switch self {
      case .run(_, let count): count
      case .add(let range): range.count
      case .copy(let range): range.count
      }
    }
  }

  let segment: Range<UInt64>
  var data: ArraySlice<UInt8>
  var codes: ArraySlice<UInt8>
  var addresses: ArraySlice<UInt8>

  var isUsedUp: Bool { data.isEmpty && addresses.isEmpty }

  /// The next instruction; nil after the last.
  mutating func next() throws -> Instruction? {
    guard let code = codes.popFirst() else { return nil }
    let size = try VCDIFFDecoder.integer { codes.popFirst() }
    guard size <= UInt64(VCDIFFWriter.windowSize) else { throw VCDIFFDecoder.Fault.brokenWindow }
    switch code {
    case VCDIFFWriter.Code.run:
      guard let byte = data.popFirst() else { throw VCDIFFDecoder.Fault.brokenWindow }
      return .run(byte, Int(size))
    case VCDIFFWriter.Code.add:
      guard size <= UInt64(data.count) else { throw VCDIFFDecoder.Fault.brokenWindow }
      let range = data.startIndex..<data.startIndex + Int(size)
      data.removeFirst(Int(size))
      return .add(range)
    case VCDIFFWriter.Code.copy:
      let address = try VCDIFFDecoder.integer { addresses.popFirst() }
      guard address <= UInt64(segment.count), size <= UInt64(segment.count) - address else {
        throw VCDIFFDecoder.Fault.brokenWindow
      }
      let start = segment.lowerBound + address
      return .copy(start..<start + size)
    default: throw VCDIFFDecoder.Fault.brokenWindow
    }
  }
}
