import Glibc
import Systemd
import Testing

/// What the service manager is sent. Each test has a process of its own for the environment: `setenv` must not meet
/// `getenv` on another thread.
struct NotifyTests {
  @Test func `sends the assignments of sd_notify`() async {
    await #expect(processExitsWith: .success) {
      let manager = Manager()
      #expect(Notify.isExpected)
      Notify.ready(status: "listening on 127.0.0.1:8080")
      #expect(manager.received() == "READY=1\nSTATUS=listening on 127.0.0.1:8080")
      Notify.status("no backup yet")
      #expect(manager.received() == "STATUS=no backup yet")
      Notify.stopping(status: "stopping", within: .milliseconds(1500))
      #expect(manager.received() == "STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000\nSTATUS=stopping")
      Notify.watchdog()
      #expect(manager.received() == "WATCHDOG=1")
      #expect(manager.received() == nil)
    }
  }

  /// sd_notify(3): the manager compares the time with its own clock.
  @Test func `says since when it reloads`() async {
    await #expect(processExitsWith: .success) {
      func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
      }
      let manager = Manager()
      let before = now()
      Notify.reloading()
      let lines = try #require(manager.received()).split(separator: "\n")
      #expect(lines.first == "RELOADING=1")
      let time = try #require(lines.last?.split(separator: "MONOTONIC_USEC=").last.flatMap { Int64($0) })
      #expect((before...now()).contains(time))
    }
  }

  @Test func `says nothing where there is no manager`() async {
    await #expect(processExitsWith: .success) {
      unsetenv("NOTIFY_SOCKET")
      #expect(!Notify.isExpected)
      Notify.ready(status: "")
    }
  }

  @Test func `has the interval of the watchdog, if it is for this process`() async {
    await #expect(processExitsWith: .success) {
      #expect(Notify.watchdogInterval() == nil)
      setenv("WATCHDOG_USEC", "30000000", 1)
      #expect(Notify.watchdogInterval() == .seconds(30))
      setenv("WATCHDOG_PID", "1", 1)
      #expect(Notify.watchdogInterval() == nil)
      setenv("WATCHDOG_PID", "\(getpid())", 1)
      #expect(Notify.watchdogInterval() == .seconds(30))
    }
  }

  @Test(
    arguments: [
      (.seconds(2), 2_000_000), (.milliseconds(1), 1000), (.nanoseconds(1999), 1), (.zero, 0),
    ] as [(Duration, Int64)])
  func `counts whole microseconds`(_ duration: Duration, _ count: Int64) {
    #expect(duration.microseconds == count)
  }
}
