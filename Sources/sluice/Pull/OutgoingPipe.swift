import System

/// The writing end of a pipe to another process, which takes bytes at its own pace.
final class OutgoingPipe {
  /// Nothing that still reads lets this pass.
  private static let stallLimit = Duration.seconds(3600)
  private static let millisecondsPerLook: CInt = 100

  /// Why no more is written to it; nil while it takes bytes.
  enum Fault {
    /// Nothing reads it any more.
    case closed
    /// It has taken nothing for an hour.
    case stalled
    case system(SystemError)
  }

  private(set) var fault: Fault?
  private var descriptor: Descriptor?
  /// What is being written, and from where on.
  private var bytes: [UInt8] = []
  private var position = 0
  private var takenAt = ContinuousClock.now

  /// - Parameter descriptor: closed with this value, or before.
  init(owning descriptor: consuming Descriptor) throws(SystemError) {
    try SystemCalls.setNonblocking(descriptor.rawValue)
    self.descriptor = consume descriptor
  }

  var rawValue: CInt? { descriptor?.rawValue }

  /// Its reader finds the end, unless another process has this pipe open for writing, too.
  func close() { descriptor = nil }

  /// Writes to all of them at once; the slowest sets the pace. A pipe with a fault is left out.
  ///
  /// - Throws: `PullInterruption`.
  static func write(
    _ parts: [(pipe: OutgoingPipe, bytes: [UInt8])], isInterrupted: () -> Bool
  ) throws(PullInterruption) {
    for (pipe, bytes) in parts {
      (pipe.bytes, pipe.position, pipe.takenAt) = (bytes, 0, .now)
    }
    while true {
      let waiting = parts.map(\.pipe).filter { !$0.advance() }
      if waiting.isEmpty { return }
      if isInterrupted() { throw PullInterruption() }
      SystemCalls.waitUntilWritable(waiting.compactMap(\.rawValue), within: millisecondsPerLook)
    }
  }

  /// Writes what there is room for.
  ///
  /// - Returns: whether all is written, or no more can be.
  private func advance() -> Bool {
    guard fault == nil, let descriptor = rawValue else { return true }
    do throws(SystemError) {
      while position < bytes.count {
        guard let count = try SystemCalls.writeSome(bytes, from: position, to: descriptor) else {
          if ContinuousClock.now - takenAt > Self.stallLimit { fault = .stalled }
          return fault != nil
        }
        position += count
        takenAt = .now
      }
    } catch {
      fault = error.isBrokenPipe ? .closed : .system(error)
    }
    bytes = []
    return true
  }
}
