import System
@testable import EventLoop
import Foundation
import Glibc
import HTTP1
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(15)))
struct BodyWriterTests {
  /// Announces one length, writes another, and remembers what became of it.
  private final class Handler: RequestHandler {
    let written: [UInt8]
    @Loop var failure: SystemError?

    init(written: [UInt8]) { self.written = written }

    @Loop func respond(to request: RequestHead, _ response: Response) async throws {
      guard var body = try await response.begin(ResponseHead(.ok), contentLength: 10) else { return }
      do {
        try await body.write([written])
        try await body.finish()
      } catch {
        failure = error
        throw error
      }
    }
  }

  /// Asks as a client would, on a thread of its own.
  ///
  /// - Returns: all that came, and whether it ended in a reset.
  private static func answer(from address: SocketAddress) async -> (text: String, isReset: Bool) {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        let client = socket(address.family, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(client) }
        _ = address.withSockaddr { connect(client, $0, $1) }
        let request = Array("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8)
        _ = send(client, request, request.count, 0)
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        var count: Int
        repeat {
          count = recv(client, &buffer, buffer.count, 0)
          all += buffer[..<max(count, 0)]
        } while count > 0
        let isReset = count < 0 && errno == ECONNRESET
        continuation.resume(returning: (String(decoding: all, as: UTF8.self), isReset))
      }
    }
  }

  @Test(arguments: [(10, nil), (9, SystemError.contentTooShort)])
  func `content that is shorter than announced is an error`(_ count: Int, _ expected: SystemError?)
    async throws
  {
    RunningLoop.start()
    try await Task { @Loop in
      let handler = Handler(written: Array(repeating: UInt8(ascii: "x"), count: count))
      let listener = try Listener.bind(try #require(SocketAddress("127.0.0.1:0")))
      let address = listener.address
      let server = Server(handler, ConnectionLimits())
      server.serve(listener)
      let (text, isReset) = await Self.answer(from: address)
      #expect(text.hasSuffix(String(repeating: "x", count: count)))
      #expect(isReset == (expected != nil))
      #expect(handler.failure == expected)
    }.value
  }
}
