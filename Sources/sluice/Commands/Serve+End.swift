import EventLoop
import Glibc
import HTTP1
import Logging
import Service
import Systemd

/// The end of a service: why it ends, and what it finishes first.
extension Serve {
  @Loop func stop(_ server: Server<Routes>, _ service: BackupService, _ reason: String) async {
    service.registry.stop()
    service.logger.info(
      "stopping",
      metadata: ["reason": "\(reason)", "running_backups": "\(service.registry.running.count)"])
    Notify.stopping(status: service.status, within: drainTimeout.value + Self.stopMargin)
    async let discarded: Void = service.registry.discardAllSuspended(within: Self.stopMargin)
    await server.drain(timeout: drainTimeout.value)
    await discarded
    await service.ledger.saveAtEnd(within: Self.stopMargin)
  }

  /// What the end takes beyond the drain timeout, at the most.
  private static let stopMargin = Duration.seconds(5)

  /// Waits until there is a reason to end, and answers it; the second signal ends the process there and then.
  @Loop func ending(
    _ server: Server<Routes>, _ service: BackupService, _ signals: Signals
  ) async throws -> String {
    let ended = Condition()
    var reason: String?
    Loop.start {
      let signal = try await signals.next()
      reason = reason ?? "signal \(signal)"
      ended.notify()
      _ = try await signals.next()
      _exit(1)
    }
    if let idleExit {
      Loop.start {
        await server.stopWhenQuiet(for: idleExit.value) { service.registry.lastDeadline }
        reason = reason ?? "idle for \(idleExit.defaultValueDescription)"
        ended.notify()
      }
    }
    while true {
      if let reason { return reason }
      _ = await ended.wait()
    }
  }
}
