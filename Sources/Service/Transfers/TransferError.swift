/// Why a client does not get the archive, or the part of one, that it asked for.
package enum TransferError: Error, Equatable {
  /// As many backups run as may.
  case noSlot(running: Int)
  /// The archive is not held any more.
  case notHeld
  /// The archive ends before the range.
  case unsatisfiable(length: UInt64)
}

/// A client that takes an archive slowly has held a slot longer than a backup may, and another needs it.
package struct SlotTooOld: Error {
  package let limit: Duration
}
