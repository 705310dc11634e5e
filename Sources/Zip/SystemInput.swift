internal import Glibc

/// The system calls by which an archive is read.
enum SystemInput {
  /// The size in bytes. The corresponding C function is `fstat`.
  ///
  /// - Throws: ``ZipReadError/Fault/unreadable(_:)``; ``ZipReadError/Fault/unsupported(_:)`` for what is no regular file.
  static func size(_ descriptor: CInt) throws(ZipReadError) -> UInt64 {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw ZipReadError(.unreadable(errno), at: 0) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ZipReadError(
        .unsupported("the archive is no regular file and cannot be read from its end"), at: 0)
    }
    return UInt64(status.st_size)
  }

  /// Reads at most `count` bytes, and none only at the end.
  ///
  /// The corresponding C functions are `pread` and, for a pipe, `read`.
  /// - Parameter offset: where; nil for wherever the descriptor stands.
  static func read(
    _ descriptor: CInt, _ count: Int, at offset: UInt64?
  ) throws(ZipReadError) -> [UInt8] {
    var failure: CInt = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      var got: Int
      repeat {
        got =
          if let offset { unsafe pread(descriptor, buffer.baseAddress, count, off_t(offset)) } else {
            unsafe Glibc.read(descriptor, buffer.baseAddress, count)
          }
      } while got < 0 && errno == EINTR
      if got < 0 { failure = errno }
      filled = max(got, 0)
    }
    guard failure == 0 else { throw ZipReadError(.unreadable(failure), at: offset ?? 0) }
    return bytes
  }
}
