import Service
import Testing

struct TransferStateTests {
  private struct Loss: Error {}
  private static let deadline = ContinuousClock.now + .seconds(60)

  /// Each state, with what a client that is lost, one that returns, and the service may do in it.
  @Test func `each transition starts where it may`() {
    let opening = TransferState.opening {}
    var sending = opening
    sending.send()
    var suspended = sending
    _ = suspended.suspend(until: Self.deadline, loss: Loss(), isNamed: false)
    var ending = sending
    _ = ending.end(nil)
    var finished = suspended
    _ = finished.finish()
    let table: [(TransferState, named: Bool, unnamed: Bool, resumes: Bool, ends: Bool, finishes: Bool)] = [
      (opening, true, false, false, true, true), (sending, true, true, false, true, true),
      (suspended, false, false, true, false, true), (ending, false, false, false, false, true),
      (finished, false, false, false, false, false),
    ]
    for (state, named, unnamed, resumes, ends, finishes) in table {
      #expect(state.isResumable(isNamed: true) == named)
      #expect(state.isResumable(isNamed: false) == unnamed)
      var next = state
      let isSuspended = next.suspend(until: Self.deadline, loss: nil, isNamed: true)
      #expect(isSuspended == named)
      #expect(next.isSuspended == (named || state.isSuspended))
      next = state
      let isResumed = next.resume {}
      #expect(isResumed == resumes)
      next = state
      let breakOff = next.end(nil)
      #expect((breakOff != nil) == ends)
      next = state
      let isFinished = next.finish()
      #expect(isFinished == finishes)
      #expect(next.isFinished)
    }
  }

  @Test func `the first loss is kept until there is a later one`() {
    var state = TransferState.opening {}
    state.send()
    _ = state.suspend(until: Self.deadline, loss: Loss(), isNamed: false)
    #expect(state.deadline == Self.deadline)
    _ = state.resume {}
    #expect(state.loss is Loss)
    #expect(state.deadline == nil)
    _ = state.suspend(until: Self.deadline, loss: nil, isNamed: false)
    #expect(state.loss is Loss)
  }
}

struct DeliveryTests {
  @Test func `an archive is whole once nothing of it is missing`() {
    var delivery = Delivery()
    delivery.confirm(0..<10)
    delivery.confirm(20..<30)
    #expect(!delivery.isWhole(30))
    delivery.confirm(10..<30)
    #expect(delivery.isWhole(30))
    #expect(!delivery.isWhole(31))
  }

  @Test func `what was on its way counts when the client asks for what follows it`() {
    var delivery = Delivery()
    delivery.offer(0..<10)
    delivery.resume(at: 10)
    delivery.confirm(10..<20)
    #expect(delivery.isWhole(20))
    delivery.resume(at: 30)
    delivery.confirm(30..<40)
    #expect(!delivery.isWhole(40))
  }
}

struct UsedNamesTests {
  @Test func `the oldest name is forgotten first`() {
    var names = UsedNames()
    for index in 0...UsedNames.maximumCount { names.insert("\(index)") }
    #expect(!names.contains("0"))
    #expect(names.contains("1"))
    #expect(names.contains("\(UsedNames.maximumCount)"))
  }
}
