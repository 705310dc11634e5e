import CZlib

/// The calls to zlib, and all that is unsafe in this target.
enum Zlib {
  /// The CRC-32 of data.
  ///
  /// The corresponding C function is `crc32_z`.
  static func crc32(_ input: [UInt8]) -> UInt32 {
    unsafe input.withUnsafeBufferPointer { input in
      // zlib takes a null pointer, which an empty array may have, for the start value: 0 as well.
      unsafe UInt32(crc32_z(0, input.baseAddress, input.count))
    }
  }

  /// The CRC-32 of two runs of data joined, of which only the CRCs are known.
  ///
  /// The corresponding C function is `crc32_combine`. Its length is a `z_off_t`, which has 64 bits on 64-bit Linux;
  /// the second run is never longer than one block, so that fewer would do.
  static func crc32(_ first: UInt32, joinedTo second: UInt32, ofCount count: Int) -> UInt32 {
    UInt32(crc32_combine(UInt(first), UInt(second), count))
  }

  /// Compresses data into one array, raw: no zlib or gzip header.
  ///
  /// - Parameters:
  ///   - isLast: Whether to finish the stream, or else flush it to a byte boundary.
  ///   - capacity: The length from which on the result is of no use.
  /// - Returns: The compressed bytes, or `nil` if there would be more than `capacity`.
  /// - Throws: ``ZipError/zlib(code:)``.
  ///
  /// The corresponding C functions are `deflateInit2` and `deflate`.
  static func deflate(
    _ input: [UInt8], isLast: Bool, _ parameters: DeflateParameters, into capacity: Int
  ) throws(ZipError) -> [UInt8]? {
    var code = Z_OK
    var isWhole = false
    let output = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
      unsafe input.withUnsafeBufferPointer { input in
        var stream = unsafe z_stream()
        // windowBits below zero: raw deflate, with a window of 2^15 bytes.
        code = unsafe deflateInit2_(
          &stream, parameters.level, Z_DEFLATED, -15, parameters.memLevel, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
          CInt(MemoryLayout<z_stream>.size))
        guard code == Z_OK else { return }
        defer { unsafe _ = deflateEnd(&stream) }
        // zlib reads through this pointer and never writes.
        unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        unsafe stream.avail_in = UInt32(input.count)
        unsafe stream.next_out = output.baseAddress
        unsafe stream.avail_out = UInt32(output.count)
        code = unsafe CZlib.deflate(&stream, isLast ? Z_FINISH : Z_SYNC_FLUSH)
        // A full output may mean that the flush has not ended: zlib.h on `deflate`.
        isWhole = unsafe code == Z_STREAM_END || (!isLast && code == Z_OK && stream.avail_out > 0)
        unsafe count = output.count - Int(stream.avail_out)
      }
    }
    // Z_BUF_ERROR: no room to go on. It is no fault of the stream's.
    guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else { throw .zlib(code: code) }
    return isWhole ? output : nil
  }
}
