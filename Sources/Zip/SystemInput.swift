import System

/// How an archive is read.
enum SystemInput {
  /// The size in bytes.
  ///
  /// - Throws: ``ZipReadError/Fault/unreadable(_:)``; ``ZipReadError/Fault/unsupported(_:)`` for what is no regular file.
  static func size(_ descriptor: CInt) throws(ZipReadError) -> UInt64 {
    let status: FileSystem.Status
    do { status = try FileSystem.status(of: descriptor) } catch {
      throw ZipReadError(.unreadable(error.errno), at: 0)
    }
    guard status.kind == .regular else {
      throw ZipReadError(
        .unsupported("the archive is no regular file and cannot be read from its end"), at: 0)
    }
    return status.size
  }

  /// Reads at most `count` bytes of a file, and none only at the end.
  static func read(_ descriptor: CInt, _ count: Int, at offset: UInt64) throws(ZipReadError) -> [UInt8] {
    do { return try SystemCalls.readSome(descriptor, count, at: offset) } catch {
      throw ZipReadError(.unreadable(error.errno), at: offset)
    }
  }

  private static let millisecondsPerLook: CInt = 100

  /// Reads at most `count` bytes of what comes next, and none only at the end.
  ///
  /// - Throws: ``ZipReadError/Fault/unreadable(_:)`` with `EINTR` once `isGivenUp` says so.
  static func readPipe(
    _ descriptor: CInt, _ count: Int, _ isGivenUp: () -> Bool
  ) throws(ZipReadError) -> [UInt8] {
    while true {
      guard SystemCalls.isReadable(descriptor, within: millisecondsPerLook) else {
        if isGivenUp() { throw ZipReadError(.unreadable(SystemError.interrupted), at: 0) }
        continue
      }
      do {
        // A reader of the same pipe may have been faster.
        if let bytes = try SystemCalls.readSome(descriptor, count) { return bytes }
      } catch {
        throw ZipReadError(.unreadable(error.errno), at: 0)
      }
    }
  }
}
