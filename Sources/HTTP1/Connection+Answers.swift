import EventLoop
import System

/// The answers, each of which is whole or seen to be broken off.
extension Connection {
  /// Sends an error as the answer if there is still a choice.
  ///
  /// - Returns: whether the connection is in order.
  func answer(_ error: any Error) async -> Bool {
    let isHeadRequest: Bool
    switch exchange {
    // A head that is refused, or not whole in time, has its method in front.
    case .none: isHeadRequest = received.starts(with: "HEAD ".utf8)
    case .awaitingHead(let request): isHeadRequest = request.method == .head
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
      try await send(head, content, isHeadRequest: isHeadRequest)
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
}
