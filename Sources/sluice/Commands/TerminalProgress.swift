import System
import Glibc
import Service

/// How far something is, on a terminal's last line; nothing anywhere else.
final class TerminalProgress {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var shownAt: ContinuousClock.Instant?

  /// - Parameter total: in bytes; nil if it is not known.
  func show(_ done: UInt64, of total: UInt64?) {
    guard isTerminal else { return }
    let now = ContinuousClock.now
    if let shownAt, now - shownAt < .milliseconds(100) { return }
    shownAt = now
    guard let total else { return put("\r\(done >> 20) MiB", STDERR_FILENO) }
    let percent = total == 0 ? 100 : min(100, done * 100 / total)
    put("\r\(percent) %, \(done >> 20) of \(total >> 20) MiB", STDERR_FILENO)
  }

  /// Leaves the line empty.
  func clear() {
    if shownAt != nil { put("\r\u{1b}[K", STDERR_FILENO) }
    shownAt = nil
  }
}
