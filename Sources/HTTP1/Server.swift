package import EventLoop
import System

/// What answers requests.
package protocol RequestHandler: Sendable {
  /// Answers one request: with `response.send`, or with `response.begin` and what it returns.
  ///
  /// - Throws: an `HTTPError` to have it sent as the answer. Anything else, and any error after the head has
  ///   left, breaks the connection off, so that no client takes half an answer for a whole one.
  @Loop func respond(to request: RequestHead, _ response: Response) async throws
}

/// How many connections there are and were: what a server tells of itself.
@Loop package final class ConnectionCount {
  /// Open now.
  package internal(set) var open = 0
  /// Accepted so far.
  package internal(set) var accepted = 0

  /// Begins at 0.
  package nonisolated init() {}
}

/// Accepts connections and lets a handler answer what is asked on them.
@Loop package final class Server<Handler: RequestHandler> {
  /// How long what was broken off may take to release what it holds.
  private static var cancelledTimeout: Duration { .seconds(2) }
  /// After so many connections at once, what the allocator has kept of them is given back when most are gone.
  private static var floodSize: Int { 1000 }

  private let handler: Handler
  private let limits: ConnectionLimits
  private let count: ConnectionCount
  private var listeners: [Listener] = []
  private var connections: [ObjectIdentifier: (connection: Connection, task: Task<Void, any Error>)] = [:]
  private let connectionClosed = Condition()
  private let waiting = WaitingConnections()
  private var mostConnections = 0
  /// Since when no connection has been open, if none is, but for those of pages that are only looked at.
  private var quietSince = ContinuousClock.now
  /// Whether an observer was served, and whether any other client was.
  private var (wasObserved, hasOtherUse) = (false, false)
  /// So long at least a server lives that an observer has started: a service manager refuses a unit that it has to start too
  /// often. systemd.unit(5), `StartLimitBurst=`: five times in ten seconds.
  private static var observedLife: Duration { .seconds(5) }

  /// Makes a server that listens to nothing yet.
  package init(_ handler: Handler, _ limits: ConnectionLimits, _ count: ConnectionCount = ConnectionCount()) {
    self.handler = handler
    self.limits = limits
    self.count = count
  }

  /// Accepts from a listening socket from now on.
  package func serve(_ listener: Listener) {
    listeners.append(listener)
    Loop.start { [self] in
      while true {
        // One too many for as long as it takes to make room for it.
        while connections.count > limits.connectionCount {
          waiting.endLongest()
          _ = await waiting.changed.wait()
        }
        do {
          let (socket, peer) = try await listener.accept(
            descriptorFreed: connectionClosed, makeRoom: { waiting.endLongest() })
          start(socket, peer)
          await Task.yield()
        } catch let error as SystemError where error.isCancelled {
          return
        } catch {
          // No client can reach us any more: better to end, and be started again, than to be deaf.
          fatalError("\(listener.address) can no longer be listened on: \(error)")
        }
      }
    }
  }

  private func start(_ rawValue: CInt, _ peer: SocketAddress) {
    // A connection that broke before it could be registered belongs to no client.
    guard let socket = try? Socket(owning: rawValue, peer: peer) else { return }
    let connection = Connection(socket, limits, waiting)
    let id = ObjectIdentifier(connection)
    let task = Loop.start { [self] in
      await connection.run(handler)
      connections[id] = nil
      count.open = connections.count
      if connection.isOfObserver { wasObserved = true } else { (quietSince, hasOtherUse) = (.now, true) }
      connectionClosed.notify()
      waiting.changed.notify()
      giveMemoryBack()
    }
    connections[id] = (connection, task)
    count.open = connections.count
    mostConnections = max(mostConnections, connections.count)
    count.accepted += 1
    connection.onLost { task.cancel() }
  }

  private func giveMemoryBack() {
    guard mostConnections >= Self.floodSize, connections.count < mostConnections / 8 else { return }
    mostConnections = connections.count
    Loop.giveMemoryBack()
  }

  /// Accepts no more once no connection has been open for `duration`, and returns then; sooner if only observers have come.
  ///
  /// - Parameter atLeastUntil: asked for a time before which a client is expected back.
  ///
  /// No client is turned away: one that comes later waits in the listening sockets' queues for the next process that
  /// has them.
  package func stopWhenQuiet(
    for duration: Duration, atLeastUntil: () -> ContinuousClock.Instant? = { nil }
  ) async {
    while true {
      if connections.isEmpty {
        let duration = wasObserved && !hasOtherUse ? min(duration, Self.observedLife) : duration
        let deadline = max(quietSince + duration, atLeastUntil() ?? quietSince)
        guard ContinuousClock.now < deadline else { break }
        // The client that is expected may have come, and left, before that.
        _ = await connectionClosed.wait(until: min(deadline, .now + duration))
      } else {
        _ = await connectionClosed.wait()
      }
    }
    stopAccepting()
  }

  private func stopAccepting() {
    for listener in listeners { listener.canceller.cancel() }
  }

  /// Accepts no more, lets what is under way finish, and breaks off what has not by the deadline.
  ///
  /// The listening sockets stay open, since other processes may have them.
  /// - Parameter timeout: how long running answers may take.
  package func drain(timeout: Duration) async {
    let deadline = ContinuousClock.now + timeout
    stopAccepting()
    for (connection, _) in connections.values { connection.closeWhenIdle() }
    while !connections.isEmpty, await connectionClosed.wait(until: deadline) {}
    for (connection, task) in connections.values {
      task.cancel()
      connection.cancel()
    }
    // One whose route waits for something that never comes is left to the end of the process.
    let lastDeadline = ContinuousClock.now + Self.cancelledTimeout
    while !connections.isEmpty, await connectionClosed.wait(until: lastDeadline) {}
  }
}
