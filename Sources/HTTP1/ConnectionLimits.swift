/// How long a client may take, and how many there may be.
package struct ConnectionLimits: Sendable {
  /// Connections at once. For one more, that which has waited longest for a request is ended; if all are being answered,
  /// more wait in the kernel's queue.
  package var connectionCount: Int
  /// From the first byte of a request to its empty line: a head is one packet, or a few.
  package var headTimeout: Duration
  /// Without a request: longer than nginx keeps an upstream connection (60 s), so that nginx closes first.
  package var idleTimeout: Duration
  /// How long a connection without any request yet is kept once the server is to end.
  package var firstRequestGrace: Duration
  /// How long a client may take none of the bytes that wait for it.
  package var stallTimeout: Duration
  /// How long, and for how many bytes, a connection that we end is still read from: to close it with bytes
  /// unread would send a reset, which can overtake the answer.
  package var lingerTimeout: Duration
  /// See `lingerTimeout`.
  package var lingerSize: Int

  /// Sets every limit; those not named are the standard ones.
  package init(
    connectionCount: Int = 10_000, headTimeout: Duration = .seconds(10), idleTimeout: Duration = .seconds(75),
    firstRequestGrace: Duration = .seconds(1), stallTimeout: Duration = .seconds(60),
    lingerTimeout: Duration = .seconds(2), lingerSize: Int = 256 * 1024
  ) {
    self.connectionCount = connectionCount
    self.headTimeout = headTimeout
    self.idleTimeout = idleTimeout
    self.firstRequestGrace = firstRequestGrace
    self.stallTimeout = stallTimeout
    self.lingerTimeout = lingerTimeout
    self.lingerSize = lingerSize
  }
}
