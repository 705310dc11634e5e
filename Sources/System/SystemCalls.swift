import CLinux
import Glibc

/// The system calls that every target shares, and with `FileSystem` and `Directory` the only place in this one that touches
/// pointers. A target with calls of its own extends it.
///
/// Every function repeats on `EINTR` and answers `nil` for `EAGAIN`; every other failure is a `SystemError`.
/// `EBADF` and `EFAULT` are our own bugs and trap.
package enum SystemCalls {
  /// Runs one call until it is not interrupted.
  package static func attempt(_ call: StaticString, _ body: () -> Int) throws(SystemError) -> Int? {
    do throws(SystemError) { return try attemptOnPassed(call, body) } catch {
      guard error.errno != EBADF, error.errno != EFAULT else { fatalError("\(error)") }
      throw error
    }
  }

  /// The same on a descriptor that another process may have passed, such as standard output, and then closed or not: there
  /// `EBADF` is no bug of ours.
  static func attemptOnPassed(_ call: StaticString, _ body: () -> Int) throws(SystemError) -> Int? {
    while true {
      let result = body()
      if result >= 0 { return result }
      let reason = Glibc.errno
      switch reason {
      case EINTR: continue
      case EAGAIN: return nil
      default: throw SystemError(call: "\(call)", errno: reason)
      }
    }
  }

  /// Runs one call that cannot answer `EAGAIN`.
  @discardableResult
  package static func require(_ call: StaticString, _ body: () -> Int) throws(SystemError) -> Int {
    guard let result = try attempt(call, body) else { throw SystemError(call: "\(call)", errno: EAGAIN) }
    return result
  }

  /// The corresponding C function is `strerror_r`.
  package static func describe(_ reason: CInt) -> String {
    var text = [CChar](repeating: 0, count: 128)
    // The Glibc module offers the XSI form, which fills the buffer.
    guard unsafe strerror_r(reason, &text, text.count) == 0 else { return "errno \(reason)" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The corresponding C function is `close`. On Linux the descriptor is gone whatever it answers.
  package static func close(_ descriptor: CInt) {
    guard Glibc.close(descriptor) == 0 || Glibc.errno != EBADF else { fatalError("close: bad descriptor") }
  }

  // MARK: eventfd(2)

  package static func eventDescriptor(nonblocking: Bool) throws(SystemError) -> Descriptor {
    let flags = CInt(EFD_CLOEXEC) | (nonblocking ? CInt(EFD_NONBLOCK) : 0)
    return Descriptor(owning: CInt(try require("eventfd") { Int(eventfd(0, flags)) }))
  }

  /// An event that as many are to consume as have signalled it.
  package static func semaphore() throws(SystemError) -> Descriptor {
    let flags = CInt(EFD_CLOEXEC | EFD_SEMAPHORE)
    return Descriptor(owning: CInt(try require("eventfd") { Int(eventfd(0, flags)) }))
  }

  /// The reading end of a pipe, and its writing end. The corresponding C function is `pipe2`.
  package static func pipe() throws(SystemError) -> [CInt] {
    var ends: [CInt] = [-1, -1]
    try require("pipe2") { unsafe Int(pipe2(&ends, O_CLOEXEC)) }
    return ends
  }

  package static func signalEvent(_ descriptor: borrowing Descriptor) {
    var one: UInt64 = 1
    let raw = descriptor.rawValue
    // It can fail only when the counter is full: then the wake-up it asks for is pending already.
    _ = try? attempt("write") { unsafe Glibc.write(raw, &one, 8) }
  }

  package static func consumeEvent(_ descriptor: borrowing Descriptor) {
    var count: UInt64 = 0
    let raw = descriptor.rawValue
    _ = try? attempt("read") { unsafe Glibc.read(raw, &count, 8) }
  }

  /// Waits until there is something to read, or its end. The corresponding C function is `poll`.
  ///
  /// - Returns: false if there is nothing in that time.
  package static func isReadable(_ descriptor: CInt, within milliseconds: CInt) -> Bool {
    var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&polled, 1, milliseconds) > 0
  }

  /// Waits until one of them takes bytes, or has no reader any more. The corresponding C function is `poll`.
  package static func waitUntilWritable(_ descriptors: [CInt], within milliseconds: CInt) {
    var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLOUT), revents: 0) }
    _ = unsafe poll(&polled, nfds_t(polled.count), milliseconds)
  }

  /// Takes the lock of an open file or directory, for as long as it is held open: no child process gets it. The corresponding C
  /// function is `flock`.
  ///
  /// - Returns: false if another process has it.
  package static func lock(_ descriptor: CInt) throws(SystemError) -> Bool {
    try attempt("flock") { Int(flock(descriptor, LOCK_EX | LOCK_NB)) } != nil
  }

  /// Lets a write take what there is room for, and not wait. The corresponding C function is `fcntl`.
  package static func setNonblocking(_ descriptor: CInt) throws(SystemError) {
    try require("fcntl") { Int(fcntl(descriptor, F_SETFL, O_NONBLOCK)) }
  }

  // MARK: pthreads(7)

  private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  typealias Thread = pthread_t

  /// Starts a thread. The corresponding C function is `pthread_create`.
  ///
  /// - Parameter isJoinable: whether it is to be joined or detached; else it is detached from the beginning.
  @discardableResult
  static func startThread(
    named name: String, stackSize: Int, isJoinable: Bool = false, _ run: @escaping @Sendable () -> Void
  ) throws(SystemError) -> pthread_t {
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    if !isJoinable { unsafe pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED)) }
    unsafe pthread_attr_setstacksize(&attributes, stackSize)
    let body = unsafe Unmanaged.passRetained(ThreadBody(run))
    var thread = pthread_t()
    let failure = unsafe pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument = unsafe argument else { return nil }
        unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, body.toOpaque())
    guard failure == 0 else {
      unsafe body.release()
      throw SystemError(call: "pthread_create", errno: failure)
    }
    unsafe pthread_setname_np(thread, String(name.prefix(15)))
    return thread
  }

  /// Waits until a thread has ended and left nothing. The corresponding C function is `pthread_join`.
  static func join(_ thread: pthread_t) { pthread_join(thread, nil) }

  /// Lets a thread leave nothing when it ends. The corresponding C function is `pthread_detach`.
  static func detach(_ thread: pthread_t) { pthread_detach(thread) }

  /// The number of processors that this process may use. The corresponding C function is `sched_getaffinity`.
  package static func processorCount() -> Int {
    var set = cpu_set_t()
    let size = MemoryLayout<cpu_set_t>.size
    // It is refused where there are more than fit into the set.
    guard unsafe sched_getaffinity(0, size, &set) == 0 else {
      return max(1, Int(sysconf(CInt(_SC_NPROCESSORS_ONLN))))
    }
    return unsafe Int(__sched_cpucount(size, &set))
  }

  /// Lets threads of a lower niceness go before the calling one: each step up is a fifth less of weight, sched(7).
  ///
  /// The corresponding C function is `setpriority`, which on Linux speaks of a thread.
  package static func beNice(_ niceness: CInt) {
    guard getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) < niceness else { return }
    // It can only be refused by a policy that knows better.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
  }

  /// Lets the calling thread, and those that it starts from now on, interrupt no other when they wake: they wait until its
  /// slice ends. A policy that an administrator chose stays as it is.
  ///
  /// The corresponding C function is `sched_setscheduler`, which on Linux speaks of a thread, with `SCHED_BATCH`: sched(7).
  package static func interruptNoThread() {
    guard sched_getscheduler(0) == SCHED_OTHER else { return }
    var parameters = sched_param()
    // It can only be refused by a policy that knows better.
    _ = unsafe sched_setscheduler(0, clinux_sched_batch, &parameters)
  }

  /// A file in memory that never has more bytes, and has zeros at first.
  ///
  /// The corresponding C functions are `memfd_create` and `fcntl` with `F_SEAL_GROW`.
  package static func memoryFile(byteCount: Int) throws(SystemError) -> Descriptor {
    let opened = unsafe memfd_create("answer", clinux_sealable)
    guard opened >= 0 else { throw SystemError(call: "memfd_create", errno: errno) }
    let file = Descriptor(owning: opened)
    try file.truncate(to: UInt64(byteCount))
    guard fcntl(opened, clinux_add_seals, clinux_seal_grow) == 0 else {
      throw SystemError(call: "fcntl", errno: errno)
    }
    return file
  }

  /// A number that names the calling thread. The corresponding C function is `pthread_self`.
  package static func currentThread() -> UInt { UInt(pthread_self()) }
}
