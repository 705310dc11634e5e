import CLinux
import Glibc

/// The system calls of this target, and the only place in it that touches pointers.
///
/// Every function repeats on `EINTR` and answers `nil` for `EAGAIN`; every other failure is a `SystemError`.
/// `EBADF` and `EFAULT` are our own bugs and trap.
enum SystemCalls {
  /// Runs one call until it is not interrupted.
  private static func attempt(_ call: StaticString, _ body: () -> Int) throws(SystemError) -> Int? {
    while true {
      let result = body()
      if result >= 0 { return result }
      let reason = Glibc.errno
      switch reason {
      case EINTR: continue
      case EAGAIN: return nil
      case EBADF, EFAULT: fatalError("\(call): \(describe(reason))")
      default: throw SystemError(call: "\(call)", errno: reason)
      }
    }
  }

  /// Runs one call that cannot answer `EAGAIN`.
  @discardableResult
  private static func require(_ call: StaticString, _ body: () -> Int) throws(SystemError) -> Int {
    guard let result = try attempt(call, body) else { throw SystemError(call: "\(call)", errno: EAGAIN) }
    return result
  }

  /// The corresponding C function is `strerror_r`.
  static func describe(_ reason: CInt) -> String {
    var text = [CChar](repeating: 0, count: 128)
    // The Glibc module offers the XSI form, which fills the buffer.
    guard unsafe strerror_r(reason, &text, text.count) == 0 else { return "errno \(reason)" }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The corresponding C function is `close`. On Linux the descriptor is gone whatever it answers.
  static func close(_ descriptor: CInt) {
    guard Glibc.close(descriptor) == 0 || Glibc.errno != EBADF else { fatalError("close: bad descriptor") }
  }

  /// The corresponding C function is `unlink`. A path that is gone already is as good.
  static func unlink(_ path: String) {
    _ = unsafe Glibc.unlink(path)
  }

  /// Whether a path names a socket itself, not a link to one. The corresponding C function is `lstat`.
  static func isSocket(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
  }

  // MARK: epoll(7)

  static func epollCreate() throws(SystemError) -> Descriptor {
    Descriptor(owning: CInt(try require("epoll_create1") { Int(epoll_create1(CInt(EPOLL_CLOEXEC))) }))
  }

  static func epollAdd(_ epoll: borrowing Descriptor, _ descriptor: CInt, _ events: UInt32)
    throws(SystemError)
  {
    var event = unsafe epoll_event()
    unsafe event.events = events
    unsafe event.data.fd = descriptor
    let raw = epoll.rawValue
    try require("epoll_ctl") { unsafe Int(epoll_ctl(raw, EPOLL_CTL_ADD, descriptor, &event)) }
  }

  /// Waits at most `milliseconds` (-1: for ever) and calls `body` with each descriptor and its events.
  static func epollWait(
    _ epoll: borrowing Descriptor, milliseconds: CInt, atMost count: Int, _ body: (CInt, UInt32) -> Void
  ) throws(SystemError) {
    let raw = epoll.rawValue
    try unsafe withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: count) {
      (events) throws(SystemError) in
      let ready = unsafe epoll_wait(raw, events.baseAddress, CInt(count), milliseconds)
      guard ready >= 0 else {
        // Signals come through a signalfd; a stopped and continued process still sees EINTR here.
        guard Glibc.errno == EINTR else { throw SystemError(call: "epoll_wait", errno: Glibc.errno) }
        return
      }
      for index in 0..<Int(ready) { unsafe body(events[index].data.fd, events[index].events) }
    }
  }

  // MARK: eventfd(2), signalfd(2)

  static func eventDescriptor(nonblocking: Bool) throws(SystemError) -> Descriptor {
    let flags = CInt(EFD_CLOEXEC) | (nonblocking ? CInt(EFD_NONBLOCK) : 0)
    return Descriptor(owning: CInt(try require("eventfd") { Int(eventfd(0, flags)) }))
  }

  /// An event that as many are to consume as have signalled it.
  static func semaphore() throws(SystemError) -> Descriptor {
    let flags = CInt(EFD_CLOEXEC | EFD_SEMAPHORE)
    return Descriptor(owning: CInt(try require("eventfd") { Int(eventfd(0, flags)) }))
  }

  static func signalEvent(_ descriptor: borrowing Descriptor) {
    var one: UInt64 = 1
    let raw = descriptor.rawValue
    // It can fail only when the counter is full: then the wake-up it asks for is pending already.
    _ = try? attempt("write") { unsafe Glibc.write(raw, &one, 8) }
  }

  static func consumeEvent(_ descriptor: borrowing Descriptor) {
    var count: UInt64 = 0
    let raw = descriptor.rawValue
    _ = try? attempt("read") { unsafe Glibc.read(raw, &count, 8) }
  }

  /// Waits until there is something to read, or its end. The corresponding C function is `poll`.
  ///
  /// - Returns: false if there is nothing in that time.
  static func isReadable(_ descriptor: CInt, within milliseconds: CInt) -> Bool {
    var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&polled, 1, milliseconds) > 0
  }

  private static func signalSet(_ signals: [CInt]) -> sigset_t {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for signal in signals { unsafe sigaddset(&set, signal) }
    return set
  }

  /// The corresponding C function is `pthread_sigmask`.
  static func blockSignals(_ signals: [CInt]) {
    var set = signalSet(signals)
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// The corresponding C function is `sigpending`.
  static func isPending(_ signals: [CInt]) -> Bool {
    var set = sigset_t()
    unsafe sigpending(&set)
    return signals.contains { unsafe sigismember(&set, $0) == 1 }
  }

  /// The corresponding C function is `sigaction`.
  static func isIgnored(_ signal: CInt) -> Bool {
    var action = sigaction()
    guard unsafe sigaction(signal, nil, &action) == 0 else { return false }
    // SIG_IGN is the number 1 in the place of a function.
    return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
  }

  static func signalDescriptor(_ signals: [CInt]) throws(SystemError) -> Descriptor {
    var set = signalSet(signals)
    let flags = CInt(SFD_CLOEXEC | SFD_NONBLOCK)
    return Descriptor(owning: CInt(try require("signalfd") { unsafe Int(signalfd(-1, &set, flags)) }))
  }

  /// Reads one `signalfd_siginfo` and answers its signal number.
  static func readSignal(_ descriptor: CInt) throws(SystemError) -> CInt? {
    var info = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    guard try attempt("read", { unsafe Glibc.read(descriptor, &info, size) }) != nil else { return nil }
    return CInt(info.ssi_signo)
  }

  // MARK: socket(7)

  static func socket(_ family: CInt) throws(SystemError) -> Descriptor {
    let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    return Descriptor(owning: CInt(try require("socket") { Int(Glibc.socket(family, type, 0)) }))
  }

  static func setOption(
    _ descriptor: borrowing Descriptor, _ level: CInt, _ option: CInt, _ value: CInt
  ) throws(SystemError) {
    var value = value
    let raw = descriptor.rawValue
    try require("setsockopt") {
      unsafe Int(setsockopt(raw, level, option, &value, socklen_t(MemoryLayout<CInt>.size)))
    }
  }

  static func option(_ descriptor: CInt, _ level: CInt, _ option: CInt) throws(SystemError) -> CInt {
    var value: CInt = 0
    var length = socklen_t(MemoryLayout<CInt>.size)
    try require("getsockopt") { unsafe Int(getsockopt(descriptor, level, option, &value, &length)) }
    return value
  }

  /// Sets whether the close of a TCP socket sends a reset, whatever is still unsent: socket(7), `SO_LINGER`.
  static func resetOnClose(_ descriptor: borrowing Descriptor, _ isReset: Bool) {
    var value = linger(l_onoff: isReset ? 1 : 0, l_linger: 0)
    let raw = descriptor.rawValue
    // A Unix socket has no reset; there the option does nothing.
    _ = unsafe setsockopt(raw, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
  }

  static func setNonblocking(_ descriptor: borrowing Descriptor) throws(SystemError) {
    let raw = descriptor.rawValue
    let flags = try require("fcntl") { Int(fcntl(raw, F_GETFL)) }
    try require("fcntl") { Int(fcntl(raw, F_SETFL, CInt(flags) | O_NONBLOCK)) }
    try require("fcntl") { Int(fcntl(raw, F_SETFD, FD_CLOEXEC)) }
  }

  static func bind(_ descriptor: borrowing Descriptor, _ address: SocketAddress) throws(SystemError) {
    let raw = descriptor.rawValue
    try require("bind") {
      unsafe address.withSockaddr { pointer, length in unsafe Int(Glibc.bind(raw, pointer, length)) }
    }
  }

  /// The corresponding C function is `connect`. A TCP socket answers `EINPROGRESS` and becomes writable later.
  static func connect(_ descriptor: borrowing Descriptor, _ address: SocketAddress) throws(SystemError) {
    let raw = descriptor.rawValue
    try require("connect") {
      unsafe address.withSockaddr { pointer, length in unsafe Int(Glibc.connect(raw, pointer, length)) }
    }
  }

  static func listen(_ descriptor: borrowing Descriptor, backlog: CInt) throws(SystemError) {
    let raw = descriptor.rawValue
    try require("listen") { Int(Glibc.listen(raw, backlog)) }
  }

  /// The corresponding C function is `accept4`. Answers the new socket and its peer's address.
  static func accept(_ listener: CInt) throws(SystemError) -> (CInt, SocketAddress)? {
    let flags = CInt(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    return try unsafe SocketAddress.filled { (storage, length) throws(SystemError) in
      try attempt("accept4") { unsafe Int(accept4(listener, storage, length, flags)) }.map(CInt.init)
    }
  }

  /// The corresponding C function is `getsockname`.
  static func localAddress(_ descriptor: CInt) throws(SystemError) -> SocketAddress {
    let filled = try unsafe SocketAddress.filled { (storage, length) throws(SystemError) -> CInt? in
      CInt(try require("getsockname") { unsafe Int(getsockname(descriptor, storage, length)) })
    }
    guard let (_, address) = filled else { throw SystemError(call: "getsockname", errno: EAGAIN) }
    return address
  }

  /// Receives into `buffer` and answers how many bytes came; 0 is the peer's end of stream.
  ///
  /// - Parameter leaving: whether the bytes stay in the kernel's queue (`MSG_PEEK`).
  static func receive(
    _ descriptor: CInt, into buffer: inout [UInt8], leaving: Bool
  ) throws(SystemError) -> Int? {
    let capacity = buffer.count
    let flags = leaving ? CInt(MSG_PEEK) : 0
    return try attempt("recv") { unsafe recv(descriptor, &buffer, capacity, flags) }
  }

  /// Far fewer than `IOV_MAX`.
  static let maximumParts = 64

  /// Sends what follows the first `offset` bytes of `parts` with one `sendmsg`, and answers how much went.
  ///
  /// - Parameter parts: at most ``maximumParts``, so that a chunk goes out with its framing (RFC 9112 §7.1).
  static func send(_ descriptor: CInt, _ parts: [[UInt8]], from offset: Int) throws(SystemError) -> Int? {
    precondition(parts.count <= maximumParts)
    return try unsafe withVectors(parts[...], skipping: offset, []) { (vectors) throws(SystemError) in
      var vectors = unsafe vectors
      let count = unsafe vectors.count
      return try attempt("sendmsg") {
        unsafe vectors.withUnsafeMutableBufferPointer { pointer in
          var message = unsafe msghdr()
          unsafe message.msg_iov = pointer.baseAddress
          unsafe message.msg_iovlen = count
          return unsafe sendmsg(descriptor, &message, CInt(MSG_NOSIGNAL))
        }
      }
    }
  }

  private static func withVectors(
    _ parts: ArraySlice<[UInt8]>, skipping offset: Int, _ vectors: [iovec],
    _ body: ([iovec]) throws(SystemError) -> Int?
  ) throws(SystemError) -> Int? {
    guard let part = parts.first else { return try unsafe body(vectors) }
    let skipped = min(offset, part.count)
    return try unsafe part.withUnsafeBufferPointer { (bytes) throws(SystemError) in
      var vectors = unsafe vectors
      if skipped < bytes.count {
        let base = unsafe UnsafeMutablePointer(mutating: bytes.baseAddress)
        unsafe vectors.append(
          iovec(iov_base: base.map { unsafe $0 + skipped }, iov_len: bytes.count - skipped))
      }
      return try unsafe withVectors(parts.dropFirst(), skipping: offset - skipped, vectors, body)
    }
  }

  /// Half-closes for writing. The corresponding C function is `shutdown` with `SHUT_WR`.
  static func shutdownWrite(_ descriptor: CInt) {
    _ = Glibc.shutdown(descriptor, CInt(SHUT_WR))
  }

  // MARK: pthreads(7)

  private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

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
  static func processorCount() -> Int {
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
  static func beNice(_ niceness: CInt) {
    guard getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) < niceness else { return }
    // It can only be refused by a policy that knows better.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
  }

  /// A number that names the calling thread. The corresponding C function is `pthread_self`.
  static func currentThread() -> UInt { UInt(pthread_self()) }
}
