import EventLoop

/// The connections that wait for their client's next request, the longest first: where there is room for no more
/// connections, they give way.
///
/// A list in which each knows its neighbours, since every request moves one to its end.
@Loop final class WaitingConnections {
  /// Announced when a connection begins to wait, and by others when one is gone.
  let changed = Condition()
  private var first: Connection?
  private var last: Connection?

  nonisolated init() {}

  /// Puts one at the end, which is in no list.
  func append(_ connection: Connection) {
    connection.waitingBefore = last
    if let last { last.waitingAfter = connection } else { first = connection }
    last = connection
    changed.notify()
  }

  /// Takes one out.
  func remove(_ connection: Connection) {
    let (before, after) = (connection.waitingBefore, connection.waitingAfter)
    if let before { before.waitingAfter = after } else { first = after }
    if let after { after.waitingBefore = before } else { last = before }
    (connection.waitingBefore, connection.waitingAfter) = (nil, nil)
  }

  /// Ends the one that has waited longest, unless it is the only one: that came last, too.
  func endLongest() {
    if first !== last { first?.cancel() }
  }
}
