import EventLoop
import TestSupport
import Testing

@testable import HTTP1

/// A server on a real TCP port.
@Suite(.timeLimit(.minutes(15)))
struct ServerTests {
  /// A handler whose answers to `/held` stay open until the test releases them.
  @Loop private final class Gate {
    let changed = Condition()
    var arrived = 0
    var cancelled = 0
    private(set) var isOpen = false

    func open() {
      isOpen = true
      changed.notify()
    }

    nonisolated init() {}

    nonisolated var route: Route {
      Route { request, response in
        guard request.target.path == "/held" else {
          return try await Route.echo.respond(to: request, response)
        }
        guard var body = try await response.begin(ResponseHead(.ok), contentLength: 4) else { return }
        self.arrived += 1
        while !self.isOpen, !Task.isCancelled { await Loop.sleep(for: .milliseconds(1)) }
        if Task.isCancelled { self.cancelled += 1 }
        try await body.write([Array("held".utf8)])
        try await body.finish()
      }
    }
  }

  @Loop private final class Running {
    let gate = Gate()
    let count = ConnectionCount()
    let address: SocketAddress
    let server: Server<Route>

    init(_ limits: ConnectionLimits = ConnectionLimits()) throws {
      let listener = try Listener.bind(.ipv4([127, 0, 0, 1], port: 0))
      address = listener.address
      server = Server(gate.route, limits, count)
      server.serve(listener)
    }

    func client() async throws -> Client { try await Client.connecting(to: address) }

    /// A client whose answer has begun and is held.
    func held() async throws -> Client {
      let client = try await client()
      let arrived = gate.arrived
      try await client.ask("GET /held HTTP/1.1\nHost: x")
      try await eventually { gate.arrived > arrived }
      return client
    }

    /// Waits until so many connections are open.
    func open(_ number: Int) async throws { try await eventually { count.open == number } }
  }

  private static let echo = "GET /a HTTP/1.1\nHost: x"

  @Test func `counts the connections that are open and those that were`() async throws {
    try await onTheLoop {
      let running = try Running()
      let clients = [try await running.client(), try await running.client(), try await running.client()]
      try await running.open(3)
      for client in clients {
        client.finishSending()
        #expect(try await client.rest() == ("", false))
      }
      try await running.open(0)
      #expect(running.count.accepted == 3)
    }
  }

  @Test func `past the limit the connection that has waited longest gives way`() async throws {
    try await onTheLoop {
      let running = try Running(ConnectionLimits(connectionCount: 3))
      let busy = try await running.held()
      let (first, second) = (try await running.client(), try await running.client())
      try await running.open(3)
      // The first is now the one that has waited less long.
      try await first.ask(Self.echo)
      #expect(try await first.response().content == "/a")
      let late = try await running.client()
      try await late.ask(Self.echo)
      #expect(try await late.response().content == "/a")
      #expect(try await second.rest().text == "")
      try await first.ask(Self.echo)
      #expect(try await first.response().content == "/a")
      running.gate.open()
      #expect(try await busy.response().content == "held")
    }
  }

  @Test func `where every place is being answered, one more waits for a place`() async throws {
    try await onTheLoop {
      let running = try Running(ConnectionLimits(connectionCount: 1))
      let busy = try await running.held()
      let late = try await running.client()
      try await late.ask(Self.echo)
      running.gate.open()
      #expect(try await busy.response().content == "held")
      #expect(try await late.response().content == "/a")
    }
  }

  @Test func `a client that is gone has its handler cancelled`() async throws {
    try await onTheLoop {
      let running = try Running()
      do {
        let lost = try await running.held()
        lost.resetOnClose()
      }
      try await running.open(0)
      #expect(running.gate.cancelled == 1)
    }
  }

  @Test func `draining lets an answer finish, ends what is idle, and accepts no more`() async throws {
    try await onTheLoop {
      let running = try Running()
      let (busy, idle) = (try await running.held(), try await running.client())
      try await idle.ask(Self.echo)
      _ = try await idle.response()
      let drained = Loop.start { await running.server.drain(timeout: .seconds(60)) }
      #expect(try await idle.rest() == ("", false))
      let late = try await running.client()
      try await late.ask(Self.echo)
      running.gate.open()
      let (text, isReset) = try await busy.rest()
      #expect(text.hasSuffix("held") && !isReset)
      try await drained.value
      #expect((running.count.open, running.count.accepted) == (0, 2), "the late one is for the next process")
    }
  }

  @Test func `what has not ended when the time to drain is over is broken off`() async throws {
    try await onTheLoop {
      let running = try Running()
      let busy = try await running.held()
      await running.server.drain(timeout: .milliseconds(10))
      #expect(running.count.open == 0)
      #expect(running.gate.cancelled == 1)
      #expect(try await busy.rest().isReset)
    }
  }

  @Test func `a server is quiet once no connection has been open for a time`() async throws {
    try await onTheLoop {
      let running = try Running()
      let busy = try await running.held()
      let log = Log()
      let quiet = Loop.start {
        await running.server.stopWhenQuiet(for: .milliseconds(10))
        log.lines.append("quiet")
      }
      // Many times as long as that, with a connection open all the while.
      for _ in 0..<20 { await Loop.sleep(for: .milliseconds(5)) }
      #expect(log.lines == [])
      running.gate.open()
      #expect(try await busy.response().content == "held")
      busy.finishSending()
      try await quiet.value
      #expect(running.count.open == 0)
    }
  }

  @Test func `a server waits for a client that is expected back`() async throws {
    try await onTheLoop {
      let running = try Running()
      let expected = ContinuousClock.now + .milliseconds(50)
      await running.server.stopWhenQuiet(for: .milliseconds(1)) { expected }
      #expect(ContinuousClock.now >= expected)
    }
  }
}
