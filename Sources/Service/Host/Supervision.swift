package import EventLoop
import Logging
import Systemd

/// What the service manager is sent about a service, from the event loop itself: a loop that is stuck says nothing.
@Loop package struct Supervision {
  /// How often the bytes in the status line are brought up to date while a backup runs.
  private static let statusInterval = Duration.seconds(5)

  private let service: BackupService

  package init(_ service: BackupService) { self.service = service }

  /// Keeps the watchdog content and the status line true from now on.
  package func start() {
    if let interval = Notify.watchdogInterval() {
      Loop.start { await feedWatchdog(every: interval / 2) }
    }
    if Notify.isExpected { Loop.start { await showStatus() } }
  }

  /// A session that is stuck past its own limits holds a snapshot that nothing but the end of the process frees: then
  /// the watchdog is left to bite.
  private func feedWatchdog(every interval: Duration) async {
    var wasStuck = false
    while true {
      if service.isStuck, !wasStuck {
        service.logger.critical("a backup is stuck; the watchdog gets no more notifications")
      }
      wasStuck = service.isStuck
      if !wasStuck { Notify.watchdog() }
      await Loop.sleep(for: interval)
    }
  }

  private func showStatus() async {
    while true {
      let deadline = service.registry.running.isEmpty ? nil : ContinuousClock.now + Self.statusInterval
      _ = await service.registry.changed.wait(until: deadline)
      Notify.status(service.status)
    }
  }

  /// Reads the tokens again whenever a signal comes; those that cannot be read change nothing.
  package func reload(_ tokens: TokenSource, on signals: Signals) {
    Loop.start {
      while true {
        _ = try await signals.next()
        Notify.reloading()
        do {
          try await service.reload(tokens)
          service.logger.notice("tokens read again", metadata: ["tokens": "\(service.tokens?.count ?? 0)"])
        } catch {
          service.logger.error(
            "tokens not read again: those of before hold", metadata: ["detail": "\(error)"])
        }
        Notify.ready(status: service.status)
      }
    }
  }
}
