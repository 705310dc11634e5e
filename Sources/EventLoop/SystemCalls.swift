import CLinux
import Glibc
import System

/// The system calls of this target, and the only place in it that touches pointers.
extension SystemCalls {
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

  // MARK: signalfd(2)

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

}
