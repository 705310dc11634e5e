import CLinux
import System

/// What the loop waits for: descriptors in epoll, edge-triggered, and deadlines in a heap.
///
/// A descriptor is registered once, for all events. Every operation tries its system call first and waits only when
/// that says `EAGAIN`; an edge that no operation waits for is kept for the next that does.
///
/// The model is epoll(7), `EPOLLET`.
@Loop final class Reactor {
  /// The most events taken from the kernel at once. More are there at the next turn.
  private static let eventsPerTurn = 256

  /// A slot of the table, which must not keep alive what its owner has dropped.
  private struct Slot { weak var registration: Registration? }

  static let shared = Reactor()

  private let executor = LoopExecutor.shared
  /// By descriptor number: the kernel hands out the lowest that is free.
  private var slots: [Slot] = []
  var deadlines = DeadlineHeap()
  /// One buffer for all sockets to receive into, so that an idle one holds none.
  var scratch = ReceiveScratch()

  func add(_ registration: Registration) throws(SystemError) {
    let index = Int(registration.descriptor)
    while slots.count <= index { slots.append(Slot()) }
    slots[index].registration = registration
    let events = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
    try SystemCalls.epollAdd(executor.epoll, registration.descriptor, events)
  }

  /// Empties the slots of those that are gone: what Swift keeps for a weak reference, small as it is, holds a page of memory.
  func forgetGone() {
    for index in slots.indices where slots[index].registration == nil { slots[index] = Slot() }
  }

  /// Waits for the kernel, at most until the next deadline, and wakes what waited for it.
  func turn(mayWait: Bool) {
    do {
      try SystemCalls.epollWait(
        executor.epoll, milliseconds: mayWait ? deadlines.millisecondsToFirst() : 0,
        atMost: Self.eventsPerTurn
      ) { descriptor, events in
        guard descriptor != executor.wakeup.rawValue else { return }
        slots[Int(descriptor)].registration?.signal(Readiness(events))
      }
    } catch {
      fatalError("the event loop cannot wait: \(error)")
    }
    while let late = deadlines.popFirst(before: .now) { late.wake(.deadline) }
  }
}

/// What an edge says of a descriptor.
struct Readiness {
  let isReadable: Bool
  let isWritable: Bool
  /// The peer is gone for good: `EPOLLHUP` or `EPOLLERR`. `EPOLLRDHUP` alone is a peer that has finished
  /// sending and may still read.
  let isLost: Bool

  init(_ events: UInt32) {
    isLost = events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
    isReadable = isLost || events & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue) != 0
    isWritable = isLost || events & EPOLLOUT.rawValue != 0
  }
}
