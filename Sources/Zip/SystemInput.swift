import Glibc

/// The system calls by which an archive is read.
enum SystemInput {
  /// The size in bytes. The corresponding C function is `fstat`.
  ///
  /// - Throws: ``ZipReadError/Fault/unreadable(_:)``; ``ZipReadError/Fault/unsupported(_:)`` for what is no regular file.
  static func size(_ descriptor: CInt) throws(ZipReadError) -> UInt64 {
    var status = stat()
    let isKnown = unsafe fstat(descriptor, &status) == 0
    let reason = errno
    guard isKnown else { throw ZipReadError(.unreadable(reason), at: 0) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ZipReadError(
        .unsupported("the archive is no regular file and cannot be read from its end"), at: 0)
    }
    return UInt64(status.st_size)
  }

  /// Reads at most `count` bytes of a file, and none only at the end. The corresponding C function is `pread`.
  static func read(_ descriptor: CInt, _ count: Int, at offset: UInt64) throws(ZipReadError) -> [UInt8] {
    let (bytes, failure) = unsafe bytes(count) { unsafe pread(descriptor, $0, count, off_t(offset)) }
    guard failure == 0 else { throw ZipReadError(.unreadable(failure), at: offset) }
    return bytes
  }

  private static let millisecondsPerLook: CInt = 100

  /// Reads at most `count` bytes of what comes next, and none only at the end.
  ///
  /// The corresponding C functions are `poll` and `read`.
  static func readPipe(
    _ descriptor: CInt, _ count: Int, _ isGivenUp: () -> Bool
  ) throws(ZipReadError) -> [UInt8] {
    while true {
      var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&polled, 1, millisecondsPerLook) != 0 else {
        if isGivenUp() { throw ZipReadError(.unreadable(EINTR), at: 0) }
        continue
      }
      let (bytes, failure) = unsafe bytes(count) { unsafe Glibc.read(descriptor, $0, count) }
      if failure == 0 { return bytes }
      // A reader of the same pipe was faster.
      guard failure == EAGAIN else { throw ZipReadError(.unreadable(failure), at: 0) }
    }
  }

  /// The corresponding C function is `strerror_r`.
  static func describe(_ reason: CInt) -> String {
    var text = [CChar](repeating: 0, count: 128)
    guard unsafe strerror_r(reason, &text, text.count) == 0 else { return "errno \(reason)" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func bytes(
    _ count: Int, _ read: (UnsafeMutablePointer<UInt8>?) -> Int
  ) -> (bytes: [UInt8], failure: CInt) {
    var failure: CInt = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      var got: Int
      var reason: CInt
      repeat {
        got = unsafe read(buffer.baseAddress)
        reason = errno
      } while got < 0 && reason == EINTR
      if got < 0 { failure = reason }
      filled = max(got, 0)
    }
    return (bytes, failure)
  }
}
