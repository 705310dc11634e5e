import CSQLite
import Glibc

/// Waits for other connections' locks: until a timeout, or until the task is cancelled.
///
/// SQLite's own `sqlite3_busy_timeout` would go on waiting for a client that has left.
final class BusyHandler {
  var timeout: Duration
  private var start = ContinuousClock.now
  /// Whether `start` is that of the lock being waited for.
  var isWaiting = false

  init(timeout: Duration) { self.timeout = timeout }

  /// The corresponding C function is `sqlite3_busy_handler`.
  func install(on handle: OpaquePointer) {
    unsafe sqlite3_busy_handler(
      handle,
      { context, attempt in
        guard let context = unsafe context else { return 0 }
        return unsafe Unmanaged<BusyHandler>.fromOpaque(context).takeUnretainedValue().wait(attempt) ? 1 : 0
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  /// - Parameter attempt: how often it was called for this lock before.
  private func wait(_ attempt: Int32) -> Bool {
    if attempt == 0 || !isWaiting { start = .now }
    isWaiting = true
    guard ContinuousClock.now - start < timeout, !Task.isCancelled else { return false }
    // 1, 2, 4, 8, then every 16 ms: soon enough for a short lock, seldom enough for a long one.
    usleep(1000 << UInt32(min(attempt, 4)))
    return true
  }
}
