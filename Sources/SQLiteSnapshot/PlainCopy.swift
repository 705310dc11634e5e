import CSQLite
package import System

/// The content of a plain file as it was copied: in memory as far as the budget goes, else in a file without a name.
package final class PlainCopy {
  /// Read at once: large enough for few calls, small enough that a write to the file is soon noticed.
  private static let blockSize: UInt64 = 1 << 20

  private enum Storage {
    case memory([UInt8])
    case spool(UnlinkedFile)
  }

  private let storage: Storage
  private let reservation: MemoryBudget.Reservation?

  /// Copies the first `byteCount` bytes of a file.
  ///
  /// - Parameter isSame: whether the file is what it was before; asked after each block.
  /// - Returns: nil if it is not.
  /// - Throws: `SQLITE_READONLY_DBMOVED` if the file became shorter, `SQLITE_FULL` if the spool is full, `SQLITE_INTERRUPT`,
  ///   and what reading says.
  package init?(
    of file: PlainFile, byteCount: UInt64, _ options: Snapshot.Options, _ memory: MemoryBudget,
    isSame: () -> Bool
  ) throws(SQLiteError) {
    var reservation = memory.reserve(byteCount)
    var bytes: [UInt8] = []
    let spool = reservation == nil ? try UnlinkedFile(in: options.spoolDirectory, byteCount: byteCount) : nil
    if spool == nil { bytes.reserveCapacity(Int(byteCount)) }
    var offset: UInt64 = 0
    repeat {
      if Task.isCancelled { throw SQLiteError.calledOff }
      let block = try file.read(Int(min(Self.blockSize, byteCount - offset)), at: offset)
      if let spool { try spool.write(block, at: offset) } else { bytes += block }
      offset += UInt64(block.count)
      guard isSame() else { return nil }
    } while offset < byteCount
    storage = spool.map(Storage.spool) ?? .memory(bytes)
    self.reservation = reservation.take()
  }

  /// The `count` bytes from `offset` on.
  ///
  /// - Throws: `SQLITE_IOERR`.
  package func read(_ count: Int, at offset: UInt64) throws(SQLiteError) -> [UInt8] {
    switch storage {
    case .memory(let bytes): Array(bytes[Int(offset)..<Int(offset) + count])
    case .spool(let file): try file.read(count, at: offset)
    }
  }
}
