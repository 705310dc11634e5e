import EventLoop
import System
import Glibc
import TestSupport
import Testing

@testable import HTTP1

/// A client on the loop, over a real TCP connection: it sends octets as they are, and reads what comes.
@Loop final class Client {
  private let socket: Socket
  private var received: [UInt8] = []

  /// Takes over a connected socket.
  init(_ socket: consuming Socket) { self.socket = socket }

  /// A client that has connected to a listener.
  static func connecting(to address: SocketAddress) async throws -> Client {
    Client(try await Socket.connect(to: address, until: patience))
  }

  /// No test waits so long for anything that comes.
  private static var patience: ContinuousClock.Instant { .now + .seconds(60) }

  /// Sends a text as it is.
  func send(_ text: String) async throws {
    try await socket.send([Array(text.utf8)], stallTimeout: .seconds(60))
  }

  /// Sends a request without content; its lines end with LF here.
  func ask(_ lines: String) async throws {
    try await send(lines.split(separator: "\n").joined(separator: "\r\n") + "\r\n\r\n")
  }

  /// Says that no more will be sent.
  func finishSending() { socket.finishSending() }

  /// Makes the end of the client a reset.
  func resetOnClose() { socket.resetOnClose(true) }

  /// The next response: its head, and its content by `Content-Length`.
  ///
  /// - Parameter toHead: whether it answers a HEAD request, and so ends with its head.
  func response(toHead: Bool = false) async throws -> (head: String, content: String) {
    let head = try await through("\r\n\r\n")
    let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
    let count = toHead ? 0 : Int(length.map { $0.dropFirst(16) } ?? "0") ?? 0
    return (head, try await take(count))
  }

  /// All that comes up to a text, and the text.
  func through(_ end: String) async throws -> String {
    let end = Array(end.utf8)
    var count = 0
    while count < end.count || !received[..<count].suffix(end.count).elementsEqual(end) {
      if count == received.count { try await receive() }
      count += 1
    }
    return try await take(count)
  }

  /// The next bytes.
  func take(_ count: Int) async throws -> String {
    while received.count < count { try await receive() }
    defer { received.removeFirst(count) }
    return String(decoding: received[..<count], as: UTF8.self)
  }

  private func receive() async throws {
    let bytes = try await socket.receive(until: Self.patience)
    try #require(!bytes.isEmpty, "the connection ended")
    received += bytes
  }

  /// All that comes until the connection ends, and whether it ended in a reset.
  func rest() async throws -> (text: String, isReset: Bool) {
    while true {
      let bytes: [UInt8]
      do throws(SystemError) {
        bytes = try await socket.receive(until: Self.patience)
      } catch {
        guard error.errno == ECONNRESET else { throw error }
        return (String(decoding: received, as: UTF8.self), true)
      }
      guard !bytes.isEmpty else { return (String(decoding: received, as: UTF8.self), false) }
      received += bytes
    }
  }
}

/// A handler that is one closure.
struct Route: RequestHandler {
  let answer: @Loop @Sendable (RequestHead, Response) async throws -> Void

  /// Answers each request in the same way.
  init(_ answer: @escaping @Loop @Sendable (RequestHead, Response) async throws -> Void) {
    self.answer = answer
  }

  func respond(to request: RequestHead, _ response: Response) async throws {
    try await answer(request, response)
  }

  /// Answers with the path that was asked for.
  static let echo = Route { request, response in
    try await response.send(.ok, "text/plain", Array(request.target.path.utf8))
  }
}
