import CSystemd
import Glibc

/// Messages to the service manager; nothing happens where there is none (`NOTIFY_SOCKET`).
///
/// The corresponding C function is `sd_notify`; the assignments are those of sd_notify(3).
package enum Notify {
  /// Whether a service manager started us and expects notifications.
  package static var isExpected: Bool { unsafe getenv("NOTIFY_SOCKET") != nil }

  /// We listen: `READY=1`, with a line for `systemctl status`.
  package static func ready(status: String) { send("READY=1\nSTATUS=\(status)") }

  /// What we do now, in a line for `systemctl status`: `STATUS=`.
  package static func status(_ status: String) { send("STATUS=\(status)") }

  /// We read our settings again; `ready` follows: `RELOADING=1`.
  package static func reloading() {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    send("RELOADING=1\nMONOTONIC_USEC=\(Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)")
  }

  /// We finish what is under way and then leave: `STOPPING=1`.
  ///
  /// - Parameter duration: what that may take, which the manager is to wait: `EXTEND_TIMEOUT_USEC=`.
  package static func stopping(status: String, within duration: Duration) {
    send("STOPPING=1\nEXTEND_TIMEOUT_USEC=\(duration.microseconds)\nSTATUS=\(status)")
  }

  /// We are alive: `WATCHDOG=1`.
  package static func watchdog() { send("WATCHDOG=1") }

  /// How often the manager wants to hear that we are alive; nil if it does not.
  ///
  /// The corresponding C function is `sd_watchdog_enabled`.
  package static func watchdogInterval() -> Duration? {
    var microseconds: UInt64 = 0
    guard unsafe sd_watchdog_enabled(0, &microseconds) > 0 else { return nil }
    return .microseconds(Int64(clamping: microseconds))
  }

  private static func send(_ state: String) { _ = unsafe sd_notify(0, state) }
}

extension Duration {
  /// In whole microseconds.
  package var microseconds: Int64 {
    components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
  }
}
