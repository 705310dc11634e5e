/// A member's data, as it is read: inflated if it must be, counted and summed.
struct MemberData {
  /// In bytes.
  static let pieceSize = 256 * 1024

  private(set) var count: UInt64 = 0
  private(set) var crc32: UInt32 = 0

  private var inflater: Inflater?
  private let name: String
  private let offset: UInt64
  private let sizeLimit: UInt64
  private let storedSize: UInt64

  /// - Parameters:
  ///   - offset: where in the archive it begins.
  ///   - sizeLimit: more bytes than this are not made.
  ///   - storedSize: how many bytes there are, if they are stored.
  init(method: UInt16, name: String, offset: UInt64, sizeLimit: UInt64, storedSize: UInt64) throws {
    inflater = method == MemberFields.stored ? nil : try Inflater()
    self.name = name
    self.offset = offset
    self.sizeLimit = sizeLimit
    self.storedSize = storedSize
  }

  /// The next bytes, at most 256 KiB; nil after the last.
  mutating func next(from input: inout ArchiveInput) throws(ZipReadError) -> [UInt8]? {
    var piece: [UInt8] = []
    while piece.isEmpty, inflater.map({ !$0.isFinished }) ?? (count < storedSize) {
      let available = try input.available()
      guard let inflater else {
        let some = available.prefix(Int(min(UInt64(Self.pieceSize), storedSize - count)))
        guard !some.isEmpty else { throw ZipReadError(.truncated, member: name, at: input.offset) }
        input.use(some.count)
        piece = Array(some)
        continue
      }
      guard let (output, used) = inflater.inflate(available, capacity: Self.pieceSize) else {
        throw ZipReadError(.brokenStream, member: name, at: input.offset)
      }
      // Some input is left in zlib's state while there is output to come: then it asks for no more.
      guard !output.isEmpty || used > 0 || inflater.isFinished else {
        throw ZipReadError(.truncated, member: name, at: input.offset)
      }
      input.use(used)
      piece = output
    }
    guard !piece.isEmpty else { return nil }
    try add(piece)
    return piece
  }

  /// Counts and sums up bytes that were made elsewhere.
  mutating func add(_ piece: [UInt8]) throws(ZipReadError) {
    count += UInt64(piece.count)
    guard count <= sizeLimit else {
      throw ZipReadError(.tooLarge(limit: sizeLimit), member: name, at: offset)
    }
    crc32 = Zlib.crc32(crc32, joinedTo: DeflateEngine.crc32(piece), ofCount: piece.count)
  }

  /// Goes on in the middle of the stream, between two blocks.
  ///
  /// - Parameter window: see ``Inflater/init(window:)``.
  mutating func goOn(after window: ArraySlice<UInt8>) throws(ZipError) {
    inflater = try Inflater(window: window)
  }

  /// Compares what was read with what was promised.
  func check(size: UInt64, crc32 expected: UInt32) throws(ZipReadError) {
    guard count == size else {
      throw ZipReadError(.wrongSize(expected: size, found: count), member: name, at: offset)
    }
    guard crc32 == expected else {
      throw ZipReadError(.wrongCRC(expected: expected, found: crc32), member: name, at: offset)
    }
  }
}
