@testable import EventLoop
@testable import System

/// What an operation throws, if it does.
func immediateFailure(of operation: () throws(SystemError) -> Void) -> SystemError? {
  do {
    try operation()
    return nil
  } catch {
    return error
  }
}

/// What an operation throws, if it does.
@Loop func failure(of operation: () async throws(SystemError) -> Void) async -> SystemError? {
  do {
    try await operation()
    return nil
  } catch {
    return error
  }
}

extension Socket {
  /// Receives and consumes, as one does who will not break the answer off.
  @Loop func take(until deadline: ContinuousClock.Instant?) async throws(SystemError) -> [UInt8] {
    let bytes = try await receive(until: deadline)
    try consume(bytes.count)
    return bytes
  }
}
