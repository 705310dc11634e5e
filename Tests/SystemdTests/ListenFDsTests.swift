import Glibc
import Testing

@testable import Systemd

/// The sockets that the environment names. Each test has a process of its own for it.
struct ListenFDsTests {
  @Test func `takes what is passed to this process, once`() async {
    await #expect(processExitsWith: .success) {
      // What number 3 is does not matter: only whether it is open is looked at.
      if fcntl(3, F_GETFD) < 0 { dup2(STDIN_FILENO, 3) }
      setenv("LISTEN_PID", "\(getpid())", 1)
      setenv("LISTEN_FDS", "1", 1)
      setenv("LISTEN_FDNAMES", "sluice.socket", 1)
      let passed = try listenFDs()
      #expect(passed.map(\.descriptor) == [3])
      #expect(passed.map(\.name) == ["sluice.socket"])
      #expect(fcntl(3, F_GETFD) & FD_CLOEXEC != 0)
      #expect(getenv("LISTEN_FDS") == nil)
      let again = try listenFDs()
      #expect(again.isEmpty)
    }
  }

  @Test func `has a name for a socket without one`() async {
    await #expect(processExitsWith: .success) {
      if fcntl(3, F_GETFD) < 0 { dup2(STDIN_FILENO, 3) }
      setenv("LISTEN_PID", "\(getpid())", 1)
      setenv("LISTEN_FDS", "1", 1)
      let passed = try listenFDs()
      #expect(passed.map(\.name) == ["unknown"])
    }
  }

  @Test func `there are none where nothing was passed`() async {
    await #expect(processExitsWith: .success) {
      let passed = try listenFDs()
      #expect(passed.isEmpty)
    }
  }

  @Test func `refuses what is for another process`() async {
    await #expect(processExitsWith: .success) {
      setenv("LISTEN_PID", "1", 1)
      setenv("LISTEN_FDS", "1", 1)
      let error = #expect(throws: ListenFDsError.self) { _ = try listenFDs() }
      #expect(error?.description.contains("pass no socket to this process (\(getpid()))") ?? false)
    }
  }

  @Test func `refuses what is no number`() async {
    await #expect(processExitsWith: .success) {
      setenv("LISTEN_PID", "\(getpid())", 1)
      setenv("LISTEN_FDS", "many", 1)
      let error = #expect(throws: ListenFDsError.self) { _ = try listenFDs() }
      #expect(error?.description.contains("cannot be read (errno \(EINVAL))") ?? false)
    }
  }
}
