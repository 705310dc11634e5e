import CZlib

/// One deflate stream, raw or in a gzip member, inflated piece by piece.
///
/// The corresponding C type is `z_stream`, which zlib's own state points back to: it must not move.
@safe final class Inflater {
  /// No stream says more than this many bytes in one: zlib's `doc/algorithm.txt` has 1032, with a little for what is short.
  static let highestRatio: UInt64 = 1040

  /// Whether the stream has ended.
  private(set) var isFinished = false
  /// Whether a block has just ended, and with it a byte, and another one is to come.
  private(set) var isBetweenBlocks = false
  private let stream: UnsafeMutablePointer<z_stream>

  /// What a match may reach back, in bytes: RFC 1951 §3.2.5.
  static let windowSize = 32768

  /// What is around the stream: zlib.h on `windowBits`.
  enum Wrapper: CInt {
    case none = -15
    /// The stream has ended once CRC32 and ISIZE were right.
    case gzip = 31
  }

  /// - Parameter window: what comes before, as much of it as a match may reach back; none at the beginning of a stream.
  /// - Throws: ``ZipError/zlib(code:)``.
  ///
  /// The corresponding C functions are `inflateInit2` and `inflateSetDictionary`.
  init(_ wrapper: Wrapper = .none, window: ArraySlice<UInt8> = []) throws(ZipError) {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    let code = unsafe inflateInit2_(
      stream, wrapper.rawValue, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
    // `deinit` runs then too: inflateEnd refuses a stream that has not begun.
    guard code == Z_OK else { throw .zlib(code: code) }
    guard !window.isEmpty else { return }
    // It can only be refused by a stream that has a header.
    _ = unsafe window.withUnsafeBufferPointer { window in
      unsafe inflateSetDictionary(stream, window.baseAddress, UInt32(window.count))
    }
  }

  deinit {
    unsafe _ = inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Inflates some of the input.
  ///
  /// - Parameter capacity: the most bytes that are made.
  /// - Returns: the bytes, of which there may be none yet, and how much of the input they came from; nil if it is no deflate
  ///   stream.
  ///
  /// The corresponding C function is `inflate`.
  func inflate(_ input: ArraySlice<UInt8>, capacity: Int) -> (output: [UInt8], used: Int)? {
    var code = Z_OK
    var used = 0
    let output = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
      unsafe input.withUnsafeBufferPointer { input in
        // zlib reads through this pointer and never writes.
        unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        unsafe stream.pointee.avail_in = UInt32(input.count)
        unsafe stream.pointee.next_out = output.baseAddress
        unsafe stream.pointee.avail_out = UInt32(output.count)
        code = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
        unsafe used = input.count - Int(stream.pointee.avail_in)
        unsafe count = output.count - Int(stream.pointee.avail_out)
        // zlib.h on `inflate`: bits that are left of a byte, and 128 at the end of a block that is not the last.
        isBetweenBlocks = unsafe stream.pointee.data_type == 128
      }
    }
    isFinished = code == Z_STREAM_END
    // Z_BUF_ERROR: nothing could be done with what there was. It is no fault of the stream's.
    guard isFinished || code == Z_OK || code == Z_BUF_ERROR else { return nil }
    return (output, used)
  }
}
