/// An open file descriptor, closed when its owner goes.
///
/// The corresponding C function of its end is `close`.
public struct Descriptor: ~Copyable, Sendable {
  /// The number the kernel knows it by.
  public let rawValue: CInt

  /// Takes over a descriptor that nobody else will close.
  public init(owning rawValue: CInt) {
    self.rawValue = rawValue
  }

  /// Gives the descriptor away unclosed.
  public consuming func release() -> CInt {
    let rawValue = self.rawValue
    discard self
    return rawValue
  }

  deinit { SystemCalls.close(rawValue) }
}
