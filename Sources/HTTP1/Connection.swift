import EventLoop
import System

/// One client's connection: its requests one after the other, each answered before the next is read.
///
/// RFC 9112 §9.
@Loop final class Connection {
  private let socket: Socket
  private let limits: ConnectionLimits
  /// Where it stands while it waits for a request, and its neighbours there.
  private let waiting: WaitingConnections
  var waitingBefore: Connection?
  var waitingAfter: Connection?
  /// Received and not yet taken for a request.
  private var received: [UInt8] = []
  /// Whether it waits for a request of which nothing has come.
  private var isIdle = false
  private var isClosing = false
  private var hasAnswered = false
  /// Whether the last byte received is still in the kernel's queue: see `Socket.consume`.
  private var holdsLastByte = false
  private var exchange = Exchange.none

  /// How far the answer to the current request has come.
  private enum Exchange {
    case none
    case awaitingHead(RequestHead)
    case inContent(Framing)
    case complete
  }

  /// How the end of the content is told: RFC 9112 §6.
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
        try await handler.respond(to: request, Response(self, to: request))
      } catch {
        guard await answer(error) else { return false }
      }
      guard case .complete = exchange else { return false }
      exchange = .none
      hasAnswered = true
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
      do throws(HTTPError) {
        if let (head, byteCount) = try parser.parse(received.span) {
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
        }
      } catch {
        // Nothing after an error is read as a request.
        isClosing = true
        try? socket.consume(justReceived)
        throw error
      }
      try socket.consume(justReceived)
      let wasEmpty = received.isEmpty
      isIdle = wasEmpty
      defer { isIdle = false }
      do throws(SystemError) {
        let bytes = try await socket.receive(until: deadline)
        guard !bytes.isEmpty else { return nil }
        received += bytes
        justReceived = bytes.count
      } catch {
        isClosing = true
        guard error.isTimeout, !wasEmpty else { return nil }
        throw HTTPError(
          .requestTimeout, "The request was not complete within \(limits.headTimeout). Send it at once.")
      }
      if wasEmpty { deadline = .now + limits.headTimeout }
    }
  }

  private func consumeLastByte() throws(SystemError) {
    if holdsLastByte { try socket.consume(1) }
    holdsLastByte = false
  }

  // MARK: the answers

  /// Sends an error as the answer if there is still a choice.
  ///
  /// - Returns: whether the connection is in order.
  private func answer(_ error: any Error) async -> Bool {
    let request: RequestHead?
    switch exchange {
    case .none: request = nil
    case .awaitingHead(let head): request = head
    // The route failed after its answer was whole: nothing is lost.
    case .complete: return true
    case .inContent: return false
    }
    // A client that is gone gets no answer.
    guard !Task.isCancelled, !(error is SystemError) else { return false }
    let problem =
      error as? HTTPError
      ?? HTTPError(.internalServerError, "The request failed. The service's log says why.")
    let (head, content) = problem.response()
    do {
      try await send(head, content, isHeadRequest: request?.method == .head)
      return true
    } catch {
      return false
    }
  }

  /// Sends a whole answer.
  func send(_ head: ResponseHead, _ content: [UInt8], isHeadRequest: Bool) async throws(SystemError) {
    let head = encode(head)
    exchange = .inContent(.contentLength(left: UInt64(content.count)))
    try await socket.send([head, isHeadRequest ? [] : content], stallTimeout: limits.stallTimeout)
    exchange = .complete
  }

  /// Sends a head whose content follows piece by piece, unless the request was for the head alone.
  func begin(_ head: ResponseHead, contentLength: UInt64?) async throws(SystemError) {
    guard case .awaitingHead(let request) = exchange else { preconditionFailure("one answer a request") }
    var head = head
    let framing: Framing
    if let contentLength {
      framing = .contentLength(left: contentLength)
      head.set("Content-Length", "\(contentLength)")
    } else {
      // Content that ends with the connection looks whole wherever that breaks: RFC 9112 §6.3.
      precondition(request.version == .http11, "a client of HTTP/1.0 needs a length")
      framing = .chunked
      head.set("Transfer-Encoding", "chunked")
    }
    let encoded = encode(head)
    exchange = .inContent(framing)
    // The kernel ends the connections of a process that is killed, and there are clients that take an end for the content's,
    // whatever its framing: GNU wget that of chunks, Node and Python that of a stated length.
    if request.method != .head { socket.resetOnClose(true) }
    try await socket.send([encoded], stallTimeout: limits.stallTimeout)
    if request.method == .head { exchange = .complete }
  }

  /// Sends pieces of the content; returns when the kernel has taken all of them.
  func write(_ pieces: [[UInt8]]) async throws(SystemError) {
    guard case .inContent(let framing) = exchange else { preconditionFailure("no content is being sent") }
    let count = pieces.reduce(0) { $0 + $1.count }
    guard count > 0 else { return }
    switch framing {
    case .contentLength(let left):
      precondition(UInt64(count) <= left, "more content than was announced")
      exchange = .inContent(.contentLength(left: left - UInt64(count)))
      try await socket.send(pieces, stallTimeout: limits.stallTimeout)
    case .chunked:
      // RFC 9112 §7.1: chunk-size CRLF chunk-data CRLF.
      let size = Array((String(count, radix: 16) + "\r\n").utf8)
      try await socket.send(
        [size] + pieces + [[.carriageReturn, .lineFeed]], stallTimeout: limits.stallTimeout)
    }
  }

  /// Says that the content is whole. Without this, the client is shown that it is not.
  ///
  /// - Parameter trailers: what follows chunked content; nowhere else is there a place for them.
  /// - Throws: `contentTooShort` when less was sent than the head has announced.
  func finish(_ trailers: [FieldLine]) async throws(SystemError) {
    guard case .inContent(let framing) = exchange else { preconditionFailure("no content is being sent") }
    switch framing {
    case .contentLength(let left):
      // The exchange stays open, and the connection is broken off.
      guard left == 0 else { throw .contentTooShort }
    case .chunked:
      // RFC 9112 §7.1: last-chunk, trailer-section CRLF.
      var end = Array("0\r\n".utf8)
      ResponseHead.encode(trailers, into: &end)
      try await socket.send([end], stallTimeout: limits.stallTimeout)
    }
    socket.resetOnClose(false)
    exchange = .complete
  }

  private func encode(_ head: ResponseHead) -> [UInt8] {
    var head = head
    head.add("Date", DateField.now())
    // RFC 9112 §9.6, and §9.3 for a client of HTTP/1.0 that asked to keep the connection.
    if isClosing {
      head.set("Connection", "close")
    } else if case .awaitingHead(let request) = exchange, request.version == .http10 {
      head.set("Connection", "keep-alive")
    }
    var bytes: [UInt8] = []
    head.encode(into: &bytes)
    return bytes
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
