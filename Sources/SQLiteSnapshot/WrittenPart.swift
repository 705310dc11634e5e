import Synchronization
import System

/// How much of a file has been written by one thread, so that another can read it at the same time, and waits for what is not
/// there yet.
final class WrittenPart: Sendable {
  private let end = Atomic<UInt64>(0)
  private let isFinished = Atomic<Bool>(false)
  /// The end that the reader waits for; 0 if it does not wait.
  private let awaited = Atomic<UInt64>(0)
  private let arrived: Descriptor

  /// - Throws: `EMFILE` when no descriptor can be had.
  init() throws(SystemError) { arrived = try SystemCalls.semaphore() }

  /// So much has been written.
  func advance(to end: UInt64) {
    self.end.store(end, ordering: .sequentiallyConsistent)
    let awaited = awaited.load(ordering: .sequentiallyConsistent)
    if awaited > 0, awaited <= end { wake() }
  }

  /// No more will be written.
  func finish() {
    isFinished.store(true, ordering: .sequentiallyConsistent)
    wake()
  }

  private func wake() {
    if awaited.exchange(0, ordering: .sequentiallyConsistent) > 0 { SystemCalls.signalEvent(arrived) }
  }

  /// Whether so much has been written.
  func isThere(_ end: UInt64) -> Bool { self.end.load(ordering: .acquiring) >= end }

  /// Waits until so much has been written, for one thread at a time.
  ///
  /// - Returns: false if it never will be.
  func wait(for end: UInt64) -> Bool {
    while self.end.load(ordering: .sequentiallyConsistent) < end {
      if isFinished.load(ordering: .sequentiallyConsistent) {
        return self.end.load(ordering: .sequentiallyConsistent) >= end
      }
      awaited.store(end, ordering: .sequentiallyConsistent)
      // What came before that was seen woke no thread.
      let isThere =
        self.end.load(ordering: .sequentiallyConsistent) >= end
        || isFinished.load(ordering: .sequentiallyConsistent)
      if isThere, awaited.exchange(0, ordering: .sequentiallyConsistent) > 0 { continue }
      SystemCalls.consumeEvent(arrived)
    }
    return true
  }
}
