import EventLoop
import System

/// One client's connection: its requests one after the other, each answered before the next is read.
///
/// RFC 9112 §9.
@Loop final class Connection {
  let socket: Socket
  let limits: ConnectionLimits
  /// Where it stands while it waits for a request, and its neighbours there.
  private let waiting: WaitingConnections
  var waitingBefore: Connection?
  var waitingAfter: Connection?
  /// Received and not yet taken for a request.
  private(set) var received: [UInt8] = []
  /// Whether it waits for a request of which nothing has come.
  private var isIdle = false
  var isClosing = false
  private var hasAnswered = false
  /// Whether every request so far was one of a page that is only looked at, and there was one: see `Response.noteObserver`.
  private(set) var isOfObserver = false
  private var hasOtherUse = false
  /// Whether the last byte received is still in the kernel's queue: see `Socket.consume`.
  private var holdsLastByte = false
  var exchange = Exchange.none

  /// How far the answer to the current request has come.
  enum Exchange {
    case none
    case awaitingHead(RequestHead)
    case inContent(Framing)
    case complete
  }

  /// How the end of the content is found: RFC 9112 §6.
  enum Framing {
    case contentLength(left: UInt64)
    case chunked
  }

  init(_ socket: consuming Socket, _ limits: ConnectionLimits, _ waiting: WaitingConnections) {
    self.socket = socket
    self.limits = limits
    self.waiting = waiting
  }

  /// Where the client is.
  var peer: SocketAddress { socket.peer }

  var unacknowledged: Int { socket.unacknowledged }

  /// Notes that the request under way comes from a page that is only looked at. Its connection ends with the answer: an open
  /// one would keep a service from leaving when idle.
  func noteObserver() {
    isOfObserver = !hasOtherUse
    isClosing = true
  }

  func onLost(_ body: @escaping @Loop () -> Void) { socket.onLost(body) }

  /// Ends the connection once it has nothing under way. One that is new still gets the answer to its first request,
  /// if that comes soon: it may be on its way already.
  func closeWhenIdle() {
    isClosing = true
    guard !hasAnswered else { return closeIfIdle() }
    Loop.start { [self] in
      await Loop.sleep(for: limits.firstRequestGrace)
      closeIfIdle()
    }
  }

  private func closeIfIdle() {
    if isIdle { socket.canceller.cancel() }
  }

  /// Ends every operation under way: the client sees its connection reset.
  func cancel() { socket.canceller.cancel() }

  /// Whether that has been done.
  var isCancelled: Bool { socket.canceller.isCancelled }

  // MARK: the requests

  /// Answers requests until the client or we have had enough, and ends the connection as its state asks.
  func run(_ handler: some RequestHandler) async {
    if await answerAll(handler) { await linger() } else { socket.resetOnClose(true) }
  }

  /// - Returns: whether every answer was whole.
  private func answerAll(_ handler: some RequestHandler) async -> Bool {
    repeat {
      do {
        guard let request = try await nextRequest() else { return true }
        exchange = .awaitingHead(request)
        if !request.keepsAlive { isClosing = true }
        isOfObserver = false
        try await handler.respond(to: request, Response(self, to: request))
      } catch {
        guard await answer(error) else { return false }
      }
      guard case .complete = exchange else { return false }
      exchange = .none
      hasAnswered = true
      if !isOfObserver { hasOtherUse = true }
      // A client that always has another request ready must not keep the loop to itself.
      await Task.yield()
    } while !isClosing
    return true
  }

  /// Reads until there is a whole head; nil at the client's end of stream.
  private func nextRequest() async throws -> RequestHead? {
    waiting.append(self)
    defer { waiting.remove(self) }
    try consumeLastByte()
    var parser = RequestParser()
    var deadline = ContinuousClock.now + (received.isEmpty ? limits.idleTimeout : limits.headTimeout)
    var justReceived = 0
    while true {
      if let head = try parse(&parser, justReceived) { return head }
      try socket.consume(justReceived)
      let isFirst = received.isEmpty
      guard let bytes = try await receive(until: deadline) else { return nil }
      received += bytes
      justReceived = bytes.count
      if isFirst { deadline = .now + limits.headTimeout }
    }
  }

  /// Takes a head from what was received, if it is whole.
  ///
  /// - Parameter justReceived: how many bytes at its end a Unix socket still has in its queue.
  private func parse(
    _ parser: inout RequestParser, _ justReceived: Int
  ) throws(HTTPError) -> RequestHead? {
    do throws(HTTPError) {
      guard let (head, byteCount) = try parser.parse(received.span) else { return nil }
      var next = byteCount == received.count ? [] : Array(received.dropFirst(byteCount))
      if socket.leavesUnread {
        // An answer that is broken off has to fail its client: see `Socket.consume`. What follows the head stays
        // where it is.
        holdsLastByte = true
        try? socket.consume(justReceived - next.count - 1)
        next = []
      }
      received = next
      return head
    } catch {
      // Nothing after an error is read as a request.
      isClosing = true
      try? socket.consume(justReceived)
      throw error
    }
  }

  /// - Returns: nil at the client's end of stream, and for a client that has not begun a request in time.
  /// - Throws: `HTTPError` 408 for a client that has begun one.
  private func receive(until deadline: ContinuousClock.Instant) async throws(HTTPError) -> [UInt8]? {
    isIdle = received.isEmpty
    defer { isIdle = false }
    do throws(SystemError) {
      let bytes = try await socket.receive(until: deadline)
      return bytes.isEmpty ? nil : bytes
    } catch {
      isClosing = true
      guard error.isTimeout, !received.isEmpty else { return nil }
      throw HTTPError(
        .requestTimeout, "The request was not complete within \(limits.headTimeout). Send it at once.")
    }
  }

  private func consumeLastByte() throws(SystemError) {
    if holdsLastByte { try socket.consume(1) }
    holdsLastByte = false
  }

  /// Ends the connection in order: RFC 9112 §9.6.
  private func linger() async {
    try? consumeLastByte()
    socket.finishSending()
    let deadline = ContinuousClock.now + limits.lingerTimeout
    var drained = 0
    while drained < limits.lingerSize {
      guard let bytes = try? await socket.receive(until: deadline), !bytes.isEmpty else { return }
      try? socket.consume(bytes.count)
      drained += bytes.count
    }
  }
}
