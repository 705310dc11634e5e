import EventLoop
import Foundation

/// The loop of the test process, started once on a thread of its own and never ended.
public enum RunningLoop {
  private static let isStarted: Bool = {
    Thread.detachNewThread {
      _ = try? Loop.run { while true { await Loop.sleep(for: .seconds(3600)) } }
    }
    return true
  }()

  /// Starts it, unless it has been.
  public static func start() { precondition(isStarted) }
}

/// Runs a test on the loop.
package func onTheLoop(_ body: @escaping @Loop @Sendable () async throws -> Void) async throws {
  RunningLoop.start()
  try await Loop.start(body).value
}

/// A condition that a test waited for in vain.
package struct NotInTime: Error {}

/// Lets the loop turn until something is so.
@Loop package func eventually(_ condition: () -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  while !condition() {
    guard ContinuousClock.now < deadline else { throw NotInTime() }
    await Loop.sleep(for: .milliseconds(1))
  }
}
