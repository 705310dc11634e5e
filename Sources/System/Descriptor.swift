/// An open file descriptor, closed with its owner.
///
/// The corresponding C function of its end is `close`.
package struct Descriptor: ~Copyable, Sendable {
  /// The number the kernel knows it by.
  package let rawValue: CInt

  /// Takes over a descriptor that no other owner will close.
  package init(owning rawValue: CInt) {
    self.rawValue = rawValue
  }

  /// Gives the descriptor away unclosed.
  package consuming func release() -> CInt {
    let rawValue = self.rawValue
    discard self
    return rawValue
  }

  deinit { SystemCalls.close(rawValue) }
}
