import Synchronization

/// A value that one thread at a time may touch: `Mutex`, in a form that ThreadSanitizer sees.
///
/// `Mutex` lies in Swift's runtime, which is not instrumented: whatever it protects looks raced for. What each thread leaves
/// to the next is therefore said once more, by an atomic value that is written last and read first.
package struct Lock<Value: ~Copyable & Sendable>: ~Copyable, Sendable {
  private let value: Mutex<Value>
  private let handedOver = Atomic<Bool>(false)

  /// Takes the value in.
  package init(_ value: consuming Value) { self.value = Mutex(value) }

  /// Waits until no other thread has the value, and calls `body` with it. `body` is short and waits for nothing.
  package func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
    value.withLock { value in
      _ = handedOver.load(ordering: .acquiring)
      defer { handedOver.store(true, ordering: .releasing) }
      return body(&value)
    }
  }
}
