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
