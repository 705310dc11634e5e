import Glibc

/// Another program, started without a shell.
package enum ChildProcess {
  /// How a child ended.
  package enum End: Equatable, Sendable, CustomStringConvertible {
    /// By itself, with this status.
    case exited(CInt)
    /// By a signal.
    case signalled(CInt)

    /// Whether it ended by itself with 0.
    package var isSuccess: Bool { self == .exited(0) }

    /// For people: `exit status 2`, `signal 9`.
    package var description: String {
      switch self {
      case .exited(let status): "exit status \(status)"
      case .signalled(let signal): "signal \(signal)"
      }
    }
  }

  /// What a child's standard streams are.
  package struct Streams: Sendable {
    /// Descriptors of ours; nil for the stream that this process has itself.
    package var input: CInt?
    package var output: CInt?
    package var error: CInt?
    /// Further ones, each with the number that it has in the child: from 3 on.
    package var others: [(descriptor: CInt, number: CInt)] = []

    package init(input: CInt? = nil, output: CInt? = nil, error: CInt? = nil) {
      self.input = input
      self.output = output
      self.error = error
    }
  }

  /// How long a child may go on before `isInterrupted` is asked again.
  private static let interval = timespec(tv_sec: 0, tv_nsec: 100_000_000)

  /// `POSIX_SPAWN_SETSID` of <spawn.h>, which Swift does not see.
  private static let ownSession: CInt = 0x80
  /// Above all numbers that a child gets.
  private static let firstFreeNumber: CInt = 16

  /// Runs a program and waits for it. No signal is blocked or, unless it was so for this process from the beginning, ignored
  /// in it.
  ///
  /// The corresponding C functions are `posix_spawnp` and `waitpid`.
  /// - Parameters:
  ///   - program: a path, or a name that `PATH` finds.
  ///   - variables: says by its name whether the program gets a variable of this process's environment.
  ///   - patience: how long after SIGTERM it is ended with SIGKILL; nil for never.
  ///   - isInterrupted: whether to end it with SIGTERM. It is asked ten times a second.
  ///   - meanwhile: what else there is to do, a little of it, as often.
  /// - Throws: `ENOENT` if there is no such program, and whatever else keeps it from being started.
  package static func run(
    _ program: String, _ arguments: [String], _ streams: Streams = Streams(),
    variables: (String) -> Bool, patience: Duration? = nil, isInterrupted: () -> Bool = { false },
    meanwhile: () -> Void = {}
  ) throws(SystemError) -> End {
    // Before the start, so that a wait for it ends at once even if the child has ended before.
    let (only, previous) = blockChildSignal()
    defer { restoreMask(previous) }
    return try Running(program, arguments, streams, variables: variables)
      .wait(patience: patience, isInterrupted: isInterrupted) {
        meanwhile()
        waitForChildSignal(only)
      }
  }

  /// A child that was started and is to be waited for.
  package struct Running: Sendable {
    private let process: pid_t

    /// Starts a program. The corresponding C function is `posix_spawnp`.
    ///
    /// - Parameters:
    ///   - variables: as for `run`.
    ///   - leads: whether it begins a session, and so a process group, of its own: without a terminal.
    /// - Throws: `ENOENT` if there is no such program, and whatever else keeps it from being started.
    package init(
      _ program: String, _ arguments: [String], _ streams: Streams, variables: (String) -> Bool,
      leads: Bool = false
    ) throws(SystemError) {
      // A process that ignores it has no status of a child to wait for: waitpid(2).
      signal(SIGCHLD, SIG_DFL)
      process = try ChildProcess.spawn(program, arguments, streams, variables, leads: leads)
    }

    /// How it ended; nil if it has not. It may be asked until it has. The corresponding C function is `waitpid`.
    package func end() throws(SystemError) -> End? {
      var status: CInt = 0
      let found = unsafe waitpid(process, &status, WNOHANG)
      guard found == process else {
        guard found == 0 || errno == EINTR else { throw SystemError(call: "waitpid", errno: errno) }
        return nil
      }
      // <bits/waitstatus.h>: WIFEXITED and its kin are macros that Swift does not import.
      return status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .signalled(status & 0x7F)
    }

    /// Waits until it has ended.
    ///
    /// - Parameters:
    ///   - patience: how long after SIGTERM it is ended with SIGKILL; nil for never.
    ///   - isInterrupted: whether to end it with SIGTERM.
    ///   - pause: between two looks.
    package func wait(
      patience: Duration? = nil, isInterrupted: () -> Bool = { false },
      pause: () -> Void = FileSystem.pause
    ) throws(SystemError) -> End {
      var toldAt: ContinuousClock.Instant?
      while true {
        if let end = try end() { return end }
        if let time = toldAt {
          if let patience, .now > time + patience { send(SIGKILL) }
        } else if isInterrupted() {
          send(SIGTERM)
          toldAt = .now
        }
        pause()
      }
    }

    /// The corresponding C function is `kill`.
    package func send(_ signal: CInt) { kill(process, signal) }

    /// Ends all of the group that it leads, at once and whatever they do. It was not waited for yet.
    package func killGroup() { kill(-process, SIGKILL) }

    /// Whether the group that it led has members.
    package var hasGroup: Bool { kill(-process, 0) == 0 }
  }

  private static func spawn(
    _ program: String, _ arguments: [String], _ streams: Streams, _ variables: (String) -> Bool, leads: Bool
  ) throws(SystemError) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    for (descriptor, number) in [
      (streams.input, STDIN_FILENO), (streams.output, STDOUT_FILENO), (streams.error, STDERR_FILENO),
    ] {
      if let descriptor { unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, number) }
    }
    // Each from a number that is none of the targets: one dup2 must not take another's source.
    var sources: [CInt] = []
    defer { for source in sources { SystemCalls.close(source) } }
    for (descriptor, number) in streams.others {
      let source = fcntl(descriptor, F_DUPFD_CLOEXEC, firstFreeNumber)
      guard source >= 0 else { throw SystemError(call: "fcntl", errno: errno) }
      sources.append(source)
      unsafe posix_spawn_file_actions_adddup2(&actions, source, number)
    }
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var (none, defaults) = (sigset_t(), sigset_t())
    unsafe sigemptyset(&none)
    unsafe sigemptyset(&defaults)
    // Those that commands of ours ignore.
    for signal in [SIGPIPE, SIGXFSZ] { unsafe sigaddset(&defaults, signal) }
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
    let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (leads ? ownSession : 0)
    unsafe posix_spawnattr_setflags(&attributes, CShort(flags))
    var argv = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
    defer { unsafe argv.forEach { unsafe free($0) } }
    var process = pid_t()
    var envp = unsafe environment(variables)
    let reason = unsafe posix_spawnp(&process, program, &actions, &attributes, &argv, &envp)
    guard reason == 0 else { throw SystemError(call: "posix_spawnp", errno: reason) }
    return process
  }

  /// The variables of this process's own, as `posix_spawn` has them, that a child gets.
  private static func environment(_ isIncluded: (String) -> Bool) -> [UnsafeMutablePointer<CChar>?] {
    var found: [UnsafeMutablePointer<CChar>?] = unsafe []
    var next = unsafe environ
    while let entry = unsafe next.pointee {
      let name = unsafe String(cString: entry).prefix { $0 != "=" }
      if isIncluded(String(name)) { unsafe found.append(entry) }
      unsafe next += 1
    }
    unsafe found.append(nil)
    return unsafe found
  }

  /// Keeps SIGCHLD pending.
  private static func blockChildSignal() -> (only: sigset_t, previous: sigset_t) {
    var (only, previous) = (sigset_t(), sigset_t())
    unsafe sigemptyset(&only)
    unsafe sigaddset(&only, SIGCHLD)
    unsafe pthread_sigmask(SIG_BLOCK, &only, &previous)
    return (only, previous)
  }

  private static func restoreMask(_ mask: sigset_t) {
    var mask = mask
    unsafe pthread_sigmask(SIG_SETMASK, &mask, nil)
  }

  private static func waitForChildSignal(_ only: sigset_t) {
    var (only, interval) = (only, Self.interval)
    _ = unsafe sigtimedwait(&only, nil, &interval)
  }

  /// A pipe from which these bytes can be read, and then its end.
  ///
  /// The corresponding C function is `pipe2`.
  /// - Parameter bytes: no more than a pipe holds without a reader, 4,096 at the least: pipe(7).
  package static func pipe(holding bytes: [UInt8]) throws(SystemError) -> Descriptor {
    precondition(bytes.count <= 4096, "the write would wait for a reader")
    let ends = try SystemCalls.pipe()
    let reading = Descriptor(owning: ends[0])
    let writing = Descriptor(owning: ends[1])
    try writing.write(bytes)
    return reading
  }
}
