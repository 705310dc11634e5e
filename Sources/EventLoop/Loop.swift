import CLinux
import System

/// The event loop as a global actor: what is marked `@Loop` runs on the loop's one thread and on no other.
@globalActor package actor Loop {
  /// The one loop of this process.
  package static let shared = Loop()

  /// Every job of the actor runs on the loop's thread.
  package nonisolated var unownedExecutor: UnownedSerialExecutor {
    unsafe LoopExecutor.shared.asUnownedSerialExecutor()
  }

  /// Runs the loop on the calling thread until `body` has returned or thrown.
  ///
  /// - Throws: what `body` throws; `SystemError` if the kernel has no descriptor for the loop.
  package static func run<Success: Sendable>(
    _ body: @escaping @Loop @Sendable () async throws -> Success
  ) throws -> Success {
    try LoopExecutor.result.get().run(body)
  }

  /// Starts a task that the loop resumes without a detour through Swift's concurrent pool.
  ///
  /// What the task calls that is isolated to nothing, or to an actor without an executor of its own, runs on the
  /// loop's thread as well: it must not block.
  @discardableResult
  package static func start<Success: Sendable>(
    _ body: @escaping @Loop @Sendable () async throws -> Success
  ) -> Task<Success, any Error> {
    Task(executorPreference: LoopExecutor.shared, operation: body)
  }

  /// Suspends the caller for a time; the loop goes on.
  @Loop package static func sleep(for duration: Duration) async {
    _ = await Waiter.suspend(until: .now + duration) { _ in }
  }

  /// Gives the system back what the allocator keeps of memory that was freed: for after a flood, since it takes milliseconds.
  ///
  /// The corresponding C function is `malloc_trim`.
  @Loop package static func giveMemoryBack() {
    Reactor.shared.forgetGone()
    malloc_trim(0)
  }

  /// Runs `body` where the compiler cannot see that this is the loop's thread already, and traps if it is not.
  ///
  /// The standard library has the same for its main actor: `MainActor.assumeIsolated`.
  static func assumeIsolated<T>(_ body: @Loop () throws -> T) rethrows -> T {
    shared.preconditionIsolated()
    return try withoutActuallyEscaping(body) { body in
      try unsafe unsafeBitCast(body, to: (() throws -> T).self)()
    }
  }
}
