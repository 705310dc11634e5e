import Glibc

/// Bytes out of a descriptor and into one: the loops around calls that may be interrupted, or take and give a part only.
extension SystemCalls {
  /// Writes all of the bytes; `EAGAIN` is an error here. The corresponding C function is `write`.
  package static func writeAll(_ bytes: [UInt8], to descriptor: CInt) throws(SystemError) {
    try unsafe writeAll(bytes, bytes.indices, "write") { pointer, count, _ in
      unsafe Glibc.write(descriptor, pointer, count)
    }
  }

  /// - Parameter write: is given what is left, its length, and how much has been written.
  static func writeAll(
    _ bytes: [UInt8], _ range: Range<Int>, _ call: StaticString,
    _ write: (UnsafePointer<UInt8>, Int, Int) -> Int
  ) throws(SystemError) {
    try unsafe bytes.withUnsafeBufferPointer { (bytes) throws(SystemError) in
      let buffer = unsafe UnsafeBufferPointer(rebasing: bytes[range])
      guard let base = buffer.baseAddress else { return }
      var written = 0
      while written < buffer.count {
        let count = try attemptOnPassed(call) {
          unsafe write(base + written, buffer.count - written, written)
        }
        guard let count else { throw SystemError(call: "\(call)", errno: EAGAIN) }
        // No file takes nothing without an error.
        guard count > 0 else { throw SystemError(call: "\(call)", errno: EIO) }
        written += count
      }
    }
  }

  /// Writes what there is room for. The corresponding C function is `write`.
  ///
  /// - Returns: how many bytes; nil if there is no room.
  package static func writeSome(
    _ bytes: [UInt8], from start: Int, to descriptor: CInt
  ) throws(SystemError) -> Int? {
    precondition(bytes.indices.contains(start))
    return try unsafe bytes.withUnsafeBufferPointer { (bytes) throws(SystemError) in
      let rest = unsafe UnsafeBufferPointer(rebasing: bytes[start...])
      return try attemptOnPassed("write") { unsafe Glibc.write(descriptor, rest.baseAddress, rest.count) }
    }
  }

  /// All that comes, at most `limit` bytes of it. The corresponding C function is `read`.
  package static func readAll(_ descriptor: CInt, atMost limit: Int) throws(SystemError) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < limit {
      let count = min(64 << 10, limit - bytes.count)
      guard let piece = try readSome(descriptor, count) else {
        throw SystemError(call: "read", errno: EAGAIN)
      }
      if piece.isEmpty { break }
      bytes += piece
    }
    return bytes
  }

  /// At most `count` bytes of what comes next; none only at the end, nil if nothing has come yet.
  ///
  /// The corresponding C function is `read`.
  package static func readSome(_ descriptor: CInt, _ count: Int) throws(SystemError) -> [UInt8]? {
    try unsafe filled(count, "read") { unsafe Glibc.read(descriptor, $0, count) }
  }

  /// At most `count` bytes of a file; none only at the end. The corresponding C function is `pread`.
  package static func readSome(
    _ descriptor: CInt, _ count: Int, at offset: UInt64
  ) throws(SystemError) -> [UInt8] {
    try unsafe filled(count, "pread") { unsafe pread(descriptor, $0, count, off_t(offset)) } ?? []
  }

  /// Fills `buffer[range]` with a file's bytes from an offset on. The corresponding C function is `pread`.
  ///
  /// - Returns: how many bytes there were.
  static func readSome(
    _ descriptor: CInt, into buffer: inout [UInt8], _ range: Range<Int>, at offset: UInt64
  ) throws(SystemError) -> Int {
    try unsafe buffer.withUnsafeMutableBufferPointer { (bytes) throws(SystemError) in
      let target = unsafe UnsafeMutableBufferPointer(rebasing: bytes[range])
      return try attempt("pread") {
        unsafe pread(descriptor, target.baseAddress, target.count, off_t(offset))
      } ?? 0
    }
  }

  /// Whether a part of an array is the beginning of another. The corresponding C function is `memcmp`.
  package static func isSame(_ bytes: [UInt8], _ range: Range<Int>, asBeginningOf other: [UInt8]) -> Bool {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count && range.count <= other.count)
    return unsafe bytes.withUnsafeBytes { bytes in
      unsafe other.withUnsafeBytes { other in
        guard let first = bytes.baseAddress, let second = other.baseAddress else { return true }
        return unsafe memcmp(first + range.lowerBound, second, range.count) == 0
      }
    }
  }

  private static func filled(
    _ count: Int, _ call: StaticString, _ read: (UnsafeMutablePointer<UInt8>?) -> Int
  ) throws(SystemError) -> [UInt8]? {
    var failure: SystemError?
    var isFilled = false
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filledCount in
      do throws(SystemError) {
        let got = try attemptOnPassed(call) { unsafe read(buffer.baseAddress) }
        isFilled = got != nil
        filledCount = got ?? 0
      } catch {
        failure = error
        filledCount = 0
      }
    }
    if let failure { throw failure }
    return isFilled ? bytes : nil
  }
}
