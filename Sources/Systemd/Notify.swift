internal import CSystemd

/// What the service manager is told of us; nothing happens where there is none (`NOTIFY_SOCKET`).
///
/// The corresponding C function is `sd_notify`.
public enum Notify {
  /// We listen: `READY=1`, with a line for `systemctl status`.
  public static func ready(status: String) { send("READY=1\nSTATUS=\(status)") }

  /// We finish what is under way and then leave: `STOPPING=1`.
  public static func stopping(status: String) { send("STOPPING=1\nSTATUS=\(status)") }

  private static func send(_ state: String) { _ = unsafe sd_notify(0, state) }
}
