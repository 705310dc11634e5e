import EventLoop
import System
import TestSupport
import Testing

@testable import HTTP1

/// One connection, over a real TCP socket pair: RFC 9112 §9.
@Suite(.timeLimit(.minutes(15)))
struct ConnectionTests {
  /// A connection that a handler answers, and the client at its other end.
  @Loop private static func answering(
    _ handler: Route = .echo, _ limits: ConnectionLimits = ConnectionLimits()
  ) async throws -> (Connection, Client, Task<Void, any Error>) {
    let listener = try Listener.bind(.ipv4([127, 0, 0, 1], port: 0))
    let client = try await Client.connecting(to: listener.address)
    let (raw, peer) = try await listener.accept(descriptorFreed: Condition())
    let connection = Connection(try Socket(owning: raw, peer: peer), limits, WaitingConnections())
    return (connection, client, Loop.start { await connection.run(handler) })
  }

  // MARK: one request after the other

  @Test func `a connection is kept for the next request until either side says close`() async throws {
    try await onTheLoop {
      let (_, client, ended) = try await Self.answering()
      for path in ["/a", "/b"] {
        try await client.ask("GET \(path) HTTP/1.1\nHost: x")
        let (head, content) = try await client.response()
        #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n") && !head.contains("\r\nConnection:"))
        #expect(content == path)
      }
      try await client.ask("GET /c HTTP/1.1\nHost: x\nConnection: close")
      let (text, isReset) = try await client.rest()
      #expect(text.contains("\r\nConnection: close\r\n") && text.hasSuffix("\r\n\r\n/c"))
      #expect(!isReset)
      try await ended.value
    }
  }

  @Test func `the client's end of stream ends a connection in order`() async throws {
    try await onTheLoop {
      let (_, client, ended) = try await Self.answering()
      try await client.ask("GET /last HTTP/1.1\nHost: x")
      client.finishSending()
      let (text, isReset) = try await client.rest()
      #expect(text.hasSuffix("/last") && !isReset)
      try await ended.value
    }
  }

  @Test func `requests that come at once are answered in their order, one at a time`() async throws {
    try await onTheLoop {
      let log = Log()
      let handler = Route { request, response in
        log.lines.append("begin \(request.target.path)")
        await Loop.sleep(for: .milliseconds(1))
        try await response.send(.ok, "text/plain", Array(request.target.path.utf8))
        log.lines.append("end \(request.target.path)")
      }
      let (_, client, _) = try await Self.answering(handler)
      let requests = ["/a", "/b", "/c"].map { "GET \($0) HTTP/1.1\r\nHost: x\r\n\r\n" }
      try await client.send(requests.joined())
      for path in ["/a", "/b", "/c"] { #expect(try await client.response().content == path) }
      #expect(log.lines == ["/a", "/b", "/c"].flatMap { ["begin \($0)", "end \($0)"] })
    }
  }

  @Test func `a head may come octet by octet`() async throws {
    try await onTheLoop {
      let (_, client, _) = try await Self.answering()
      for character in "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" { try await client.send(String(character)) }
      #expect(try await client.response().content == "/slow")
    }
  }

  // MARK: HTTP/1.0

  @Test func `HTTP 1.0 gets one answer, or with keep-alive the next as well`() async throws {
    try await onTheLoop {
      let (_, client, _) = try await Self.answering()
      try await client.ask("GET /a HTTP/1.0\nConnection: keep-alive")
      let (head, content) = try await client.response()
      #expect(head.contains("\r\nConnection: keep-alive\r\n"))
      #expect(content == "/a")
      try await client.ask("GET /b HTTP/1.0")
      let (text, isReset) = try await client.rest()
      #expect(text.contains("\r\nConnection: close\r\n") && text.hasSuffix("/b"))
      #expect(!isReset)
    }
  }

  // MARK: content

  /// Two pieces with an empty one between them, and their length not announced.
  private static let inPieces = Route { _, response in
    guard var body = try await response.begin(ResponseHead(.ok), contentLength: nil) else { return }
    for piece in ["one, ", "", "two"] { try await body.write([Array(piece.utf8)]) }
    try await body.finish(trailers: [FieldLine(name: "X-End", value: "1")])
  }

  @Test func `content of unknown length is chunked, and no empty piece ends it`() async throws {
    try await onTheLoop {
      let (_, client, _) = try await Self.answering(Self.inPieces)
      try await client.ask("GET / HTTP/1.1\nHost: x")
      #expect(try await client.through("\r\n\r\n").contains("\r\nTransfer-Encoding: chunked\r\n"))
      #expect(
        try await client.through("X-End: 1\r\n\r\n") == "5\r\none, \r\n3\r\ntwo\r\n0\r\nX-End: 1\r\n\r\n")
      // The connection is good for another.
      try await client.ask("GET / HTTP/1.1\nHost: x\nConnection: close")
      #expect(try await !client.rest().isReset)
    }
  }

  @Test(arguments: ["GET", "HEAD"])
  func `HEAD gets the head of GET and no content`(_ method: String) async throws {
    try await onTheLoop {
      let handler = Route { request, response in
        guard request.target.path != "/error" else { throw HTTPError(.notFound, "Nothing is there.") }
        guard request.target.path == "/begun" else {
          return try await response.send(.ok, "text/plain", Array("abc".utf8))
        }
        guard var body = try await response.begin(ResponseHead(.ok), contentLength: 3) else { return }
        try await body.write([Array("abc".utf8)])
        try await body.finish()
      }
      let (_, client, _) = try await Self.answering(handler)
      for (path, status) in [("/sent", "200"), ("/begun", "200"), ("/error", "404")] {
        try await client.ask("\(method) \(path) HTTP/1.1\nHost: x")
        let (head, content) = try await client.response(toHead: method == "HEAD")
        // What is left over would be taken for the next head.
        #expect(head.hasPrefix("HTTP/1.1 \(status) "))
        #expect(head.contains(status == "200" ? "\r\nContent-Length: 3\r\n" : "\r\nContent-Length: "))
        #expect(content.isEmpty == (method == "HEAD"))
      }
    }
  }

  @Test(arguments: ["GET", "HEAD"])
  func `a HEAD that is refused gets no content either`(_ method: String) async throws {
    try await onTheLoop {
      for refused in [
        "\(method) / HTTP/1.1", "\(method) / HTTP/1.1\nHost : x", "\(method) /#a HTTP/1.1\nHost: x",
      ] {
        let (_, client, _) = try await Self.answering(Self.inPieces)
        try await client.ask(refused)
        let (text, isReset) = try await client.rest()
        #expect(!isReset && text.hasPrefix("HTTP/1.1 400 "))
        #expect(text.hasSuffix("\r\n\r\n") == (method == "HEAD"))
      }
    }
  }

  // MARK: errors

  private struct Failure: Error {}

  @Test func `an error before the head is the answer, and the next request is answered`() async throws {
    try await onTheLoop {
      let handler = Route { request, response in
        switch request.target.path {
        case "/http": throw HTTPError(.notFound, "Nothing is there.")
        case "/other": throw Failure()
        default: try await response.send(.ok, "text/plain", [])
        }
      }
      let (_, client, _) = try await Self.answering(handler)
      for (path, status) in [
        ("/http", "404 Not Found"), ("/other", "500 Internal Server Error"), ("/", "200 OK"),
      ] {
        try await client.ask("GET \(path) HTTP/1.1\nHost: x")
        #expect(try await client.response().head.hasPrefix("HTTP/1.1 \(status)\r\n"))
      }
    }
  }

  @Test(arguments: [("1.0", 10), ("1.1", nil), ("1.1", 10)] as [(String, UInt64?)])
  func `an error amid the content breaks the connection off`(_ version: String, _ length: UInt64?)
    async throws
  {
    try await onTheLoop {
      let handler = Route { _, response in
        guard var body = try await response.begin(ResponseHead(.ok), contentLength: length) else { return }
        try await body.write([Array("half".utf8)])
        throw Failure()
      }
      let (_, client, _) = try await Self.answering(handler)
      try await client.ask("GET / HTTP/\(version)\nHost: x")
      let (text, isReset) = try await client.rest()
      #expect(isReset, "it would be taken for the end of the content")
      #expect(!text.contains("500") && !text.hasSuffix("0\r\n\r\n"))
    }
  }

  @Test func `a handler that returns without finishing breaks the connection off`() async throws {
    try await onTheLoop {
      let handler = Route { _, response in
        guard var body = try await response.begin(ResponseHead(.ok), contentLength: nil) else { return }
        try await body.write([Array("half".utf8)])
      }
      let (_, client, _) = try await Self.answering(handler)
      try await client.ask("GET / HTTP/1.1\nHost: x")
      #expect(try await client.rest().isReset)
    }
  }

  @Test func `an error after the whole answer loses nothing`() async throws {
    try await onTheLoop {
      let handler = Route { _, response in
        try await response.send(.ok, "text/plain", Array("whole".utf8))
        throw Failure()
      }
      let (_, client, _) = try await Self.answering(handler)
      for _ in 0..<2 {
        try await client.ask("GET / HTTP/1.1\nHost: x")
        #expect(try await client.response().content == "whole")
      }
    }
  }

  // MARK: what is refused

  @Test func `nothing after a refused request is read as a request`() async throws {
    try await onTheLoop {
      let log = Log()
      let handler = Route { request, response in
        log.lines.append(request.target.path)
        try await response.send(.ok, "text/plain", [])
      }
      let (_, client, _) = try await Self.answering(handler)
      try await client.send(
        "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /bad\u{0}\r\n\r\nGET /c HTTP/1.1\r\nHost: x\r\n\r\n")
      let (text, isReset) = try await client.rest()
      #expect(text.components(of: "HTTP/1.1 ") == ["200", "400"])
      #expect(text.contains("\r\nConnection: close\r\n"))
      #expect(!isReset)
      #expect(log.lines == ["/a"])
    }
  }

  @Test func `a head past a limit is refused before its end`() async throws {
    try await onTheLoop {
      let (_, client, _) = try await Self.answering()
      try await client.send("GET / HTTP/1.1\r\nHost: x\r\nX: " + String(repeating: "x", count: 100_000))
      let (text, isReset) = try await client.rest()
      #expect(text.hasPrefix("HTTP/1.1 431 ") && text.contains("\r\nConnection: close\r\n"))
      #expect(!isReset)
    }
  }

  @Test func `an answer reaches a client that goes on sending the content of its request`() async throws {
    try await onTheLoop {
      let (_, client, ended) = try await Self.answering()
      let content = String(repeating: "x", count: 200_000)
      try await client.send("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: \(content.utf8.count)\r\n\r\n")
      let (head, _) = try await client.response()
      #expect(head.hasPrefix("HTTP/1.1 413 ") && head.contains("\r\nConnection: close\r\n"))
      try await client.send(content)
      client.finishSending()
      // To close with bytes unread would be a reset.
      #expect(try await client.rest() == ("", false))
      try await ended.value
    }
  }

  @Test func `a client that sends without end is not read from for ever`() async throws {
    try await onTheLoop {
      let limits = ConnectionLimits(lingerTimeout: .seconds(600), lingerSize: 10_000)
      let (_, client, ended) = try await Self.answering(.echo, limits)
      try await client.send("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
      #expect(try await client.response().head.hasPrefix("HTTP/1.1 413 "))
      await #expect(throws: (any Error).self) {
        // More than the kernel takes for both ends.
        for _ in 0..<10_000 { try await client.send(String(repeating: "x", count: 10_000)) }
      }
      try await ended.value
    }
  }

  // MARK: timeouts

  @Test func `a head that does not end in time gets 408, and silence gets nothing`() async throws {
    try await onTheLoop {
      let limits = ConnectionLimits(headTimeout: .milliseconds(20), idleTimeout: .milliseconds(20))
      let (_, half, _) = try await Self.answering(.echo, limits)
      try await half.send("GET / HTTP/1.1\r\nHost:")
      let (text, isReset) = try await half.rest()
      #expect(text.hasPrefix("HTTP/1.1 408 ") && text.contains("\r\nConnection: close\r\n"))
      #expect(!isReset)
      let (_, idle, ended) = try await Self.answering(.echo, limits)
      #expect(try await idle.rest() == ("", false))
      try await ended.value
    }
  }

  @Test func `a client that takes nothing is given up`() async throws {
    try await onTheLoop {
      let log = Log()
      let handler = Route { _, response in
        guard var body = try await response.begin(ResponseHead(.ok), contentLength: nil) else { return }
        let piece = [UInt8](repeating: 0, count: 1 << 20)
        do throws(SystemError) {
          while true { try await body.write([piece]) }
        } catch {
          log.lines.append("\(error.isTimeout)")
          throw error
        }
      }
      let limits = ConnectionLimits(stallTimeout: .milliseconds(50))
      let (_, client, ended) = try await Self.answering(handler, limits)
      try await client.ask("GET / HTTP/1.1\nHost: x")
      try await ended.value
      #expect(log.lines == ["true"])
      #expect(try await client.rest().isReset)
    }
  }

  // MARK: the end

  @Test func `a connection that is to close ends at once when it is idle`() async throws {
    try await onTheLoop {
      let (connection, client, ended) = try await Self.answering()
      try await client.ask("GET / HTTP/1.1\nHost: x")
      _ = try await client.response()
      await Loop.sleep(for: .milliseconds(10))  // until it waits for the next
      connection.closeWhenIdle()
      #expect(try await client.rest() == ("", false))
      try await ended.value
    }
  }

  @Test func `a new connection that is to close answers its first request`() async throws {
    try await onTheLoop {
      let limits = ConnectionLimits(firstRequestGrace: .seconds(60))
      let (connection, client, ended) = try await Self.answering(.echo, limits)
      connection.closeWhenIdle()
      try await client.ask("GET /first HTTP/1.1\nHost: x")
      let (text, isReset) = try await client.rest()
      #expect(text.contains("\r\nConnection: close\r\n") && text.hasSuffix("/first"))
      #expect(!isReset)
      try await ended.value
    }
  }

  @Test func `an answer that is broken off ends in a reset`() async throws {
    try await onTheLoop {
      let handler = Route { _, response in
        guard var body = try await response.begin(ResponseHead(.ok), contentLength: nil) else { return }
        try await body.write([Array("half".utf8)])
        response.breakOff()
        try await body.write([Array("more".utf8)])
      }
      let (_, client, ended) = try await Self.answering(handler)
      try await client.ask("GET / HTTP/1.1\nHost: x")
      let (text, isReset) = try await client.rest()
      #expect(isReset && !text.contains("more"))
      try await ended.value
    }
  }
}

/// What happened, in its order.
@Loop final class Log {
  /// One line for each event.
  var lines: [String] = []
}

extension String {
  /// The word after each occurrence of a text.
  fileprivate func components(of start: String) -> [String] {
    var words: [String] = []
    var rest = self[...]
    while let found = rest.firstRange(of: start) {
      rest = rest[found.upperBound...]
      words.append(String(rest.prefix { $0 != " " }))
    }
    return words
  }
}
