import EventLoop

/// Where one archive stands between its snapshots and its end.
///
///     opening ──► sending ◄──► suspended ──► finished
///        └───────────┴──► ending ──────────────┘
package enum TransferState {
  /// Ends the connection that the archive is sent over.
  package typealias BreakOff = @Loop () -> Void

  /// Its client has not got the head yet.
  case opening(BreakOff)
  /// A client takes it. `loss` is why an earlier client was lost.
  case sending(BreakOff, loss: (any Error)?)
  /// No client takes it, and one may return until then.
  case suspended(until: ContinuousClock.Instant, loss: (any Error)?)
  /// The service breaks the connection off, and the archive ends with it.
  case ending((any Error)?)
  /// Nothing is held any more.
  case finished

  package var isSuspended: Bool { deadline != nil }

  package var isFinished: Bool { if case .finished = self { true } else { false } }

  /// Whether the service breaks it off: no client may have any more of it.
  package var isEnding: Bool { if case .ending = self { true } else { false } }

  /// Until when a client may return; nil if there is one, or if none may.
  package var deadline: ContinuousClock.Instant? {
    if case .suspended(let deadline, _) = self { deadline } else { nil }
  }

  /// Why the last client was lost, or is broken off.
  package var loss: (any Error)? {
    switch self {
    case .sending(_, let loss), .suspended(_, let loss), .ending(let loss): loss
    case .opening, .finished: nil
    }
  }

  /// Ends the connection, if there is one.
  package var breakOff: BreakOff? {
    switch self {
    case .opening(let breakOff), .sending(let breakOff, _): breakOff
    case .suspended, .ending, .finished: nil
    }
  }

  /// The client has the head, and so the tag by which it can return.
  package mutating func send() {
    if case .opening(let breakOff) = self { self = .sending(breakOff, loss: nil) }
  }

  /// The client is gone, and may return.
  ///
  /// - Parameter loss: why it is gone; nil if it got what it asked for.
  /// - Returns: false if no client may return; the state is what it was then.
  package mutating func suspend(
    until deadline: ContinuousClock.Instant, loss: (any Error)?, isNamed: Bool
  ) -> Bool {
    guard isResumable(isNamed: isNamed) else { return false }
    self = .suspended(until: deadline, loss: loss ?? self.loss)
    return true
  }

  /// Whether a client that is lost now may return: it must have the head, or a name for the archive.
  package func isResumable(isNamed: Bool) -> Bool {
    switch self {
    case .opening: isNamed
    case .sending: true
    case .suspended, .ending, .finished: false
    }
  }

  /// A client has returned.
  ///
  /// - Returns: false if none is waited for.
  package mutating func resume(_ breakOff: @escaping BreakOff) -> Bool {
    guard case .suspended(_, let loss) = self else { return false }
    self = .sending(breakOff, loss: loss)
    return true
  }

  /// The service wants its end: a limit was passed, or another backup needs its place.
  ///
  /// - Returns: what ends the connection; nil if there is none.
  package mutating func end(_ reason: (any Error)?) -> BreakOff? {
    guard let breakOff else { return nil }
    self = .ending(reason ?? loss)
    return breakOff
  }

  /// Everything is released.
  ///
  /// - Returns: false if it has been before.
  package mutating func finish() -> Bool {
    guard !isFinished else { return false }
    self = .finished
    return true
  }
}
