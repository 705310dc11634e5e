package import System

/// The rest of a snapshot, from some byte on to its end, copied into the spool directory while the snapshot is held. Once it is
/// whole, the snapshot can be released.
package final class SpooledRest {
  private let file: UnlinkedFile
  private let reservation: MemoryBudget.Reservation
  /// In the snapshot, as all offsets here.
  private let start: UInt64
  /// Where what has been copied ends.
  package private(set) var end: UInt64

  /// Makes an empty one.
  ///
  /// - Parameters:
  ///   - range: of the snapshot, in bytes.
  ///   - budget: what all of them may take in the spool directory.
  /// - Returns: nil if the budget has not so much left.
  /// - Throws: `SQLITE_FULL` if the spool directory has no room for so much; `SQLITE_CANTOPEN` with what the system says of it.
  package init?(
    of range: Range<UInt64>, in spoolDirectory: String, _ budget: MemoryBudget
  ) throws(SQLiteError) {
    guard let reservation = budget.reserve(UInt64(range.count)) else { return nil }
    self.reservation = reservation
    file = try UnlinkedFile(in: spoolDirectory, byteCount: UInt64(range.count))
    start = range.lowerBound
    end = range.lowerBound
  }

  /// Adds what comes next.
  ///
  /// - Throws: `SQLITE_FULL`.
  package func append(_ bytes: [UInt8]) throws(SQLiteError) {
    try file.write(bytes, at: end - start)
    end += UInt64(bytes.count)
  }

  /// The `count` bytes from `offset` on, which have been copied.
  ///
  /// - Throws: `SQLITE_IOERR`.
  package func read(_ count: Int, at offset: UInt64) throws(SQLiteError) -> [UInt8] {
    precondition(offset >= start, "what is before was not copied")
    return try file.read(count, at: offset - start)
  }
}
