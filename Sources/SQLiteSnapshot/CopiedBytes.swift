import CSQLite
import System

/// The bytes of a copy: in memory as far as the budget goes, else in a file without a name. Threads may bring different
/// blocks of it up to date at once.
struct CopiedBytes: Sendable {
  /// What one thread brings up to date at a time, in bytes. In memory, each block is by itself, so large that malloc(3) gives
  /// it back to the system once it is freed.
  static let blockSize = 1 << 20
  /// Read and compared at a time: what the processor's cache has room for twice.
  private static let pieceSize = 256 << 10
  /// Written at a time where the copy differs: of the size of the pages that most databases have.
  private static let unitSize = 4096

  private final class MemoryBlock: Sendable {
    /// Empty until it is first read.
    let bytes = Lock<[UInt8]>([])
  }

  /// Given back to the budget when the last copy of this value goes.
  private final class Reserved: Sendable {
    private let reservation: MemoryBudget.Reservation
    init(_ reservation: consuming MemoryBudget.Reservation) { self.reservation = reservation }
  }

  private enum Place: Sendable {
    case memory([MemoryBlock], [Reserved])
    case spool(UnlinkedFile)
  }

  /// The size. What lies past it in the spool is of no interest.
  private(set) var byteCount: UInt64
  private var place: Place

  /// Makes room; the content is to come.
  ///
  /// - Throws: `SQLITE_FULL` if the spool directory has no room for so much; `SQLITE_CANTOPEN` with what the system says of it.
  init(byteCount: UInt64, _ options: Snapshot.Options, _ memory: MemoryBudget) throws(SQLiteError) {
    self.byteCount = byteCount
    if let reservation = memory.reserve(byteCount) {
      place = .memory([], [Reserved(reservation)])
      addBlocks()
    } else {
      place = .spool(try UnlinkedFile(in: options.spoolDirectory, byteCount: byteCount))
    }
  }

  /// Takes a clone of the database file for the copy.
  init(clone: UnlinkedFile, byteCount: UInt64) {
    self.byteCount = byteCount
    place = .spool(clone)
  }

  /// Makes it longer or shorter. All of it is to be brought up to date after.
  ///
  /// - Throws: what `init` throws.
  mutating func resize(
    to byteCount: UInt64, _ options: Snapshot.Options, _ memory: MemoryBudget
  ) throws(SQLiteError) {
    let growth = byteCount > self.byteCount ? byteCount - self.byteCount : 0
    if growth > 0 {
      switch place {
      case .memory(let blocks, let reserved):
        guard let reservation = memory.reserve(growth) else {
          self = try CopiedBytes(byteCount: byteCount, options, memory)
          return
        }
        place = .memory(blocks, reserved + [Reserved(reservation)])
      case .spool: try requireRoom(for: growth, in: options.spoolDirectory)
      }
    }
    self.byteCount = byteCount
    addBlocks()
  }

  var blockCount: Int { Int((byteCount + UInt64(Self.blockSize) - 1) / UInt64(Self.blockSize)) }

  private mutating func addBlocks() {
    guard case .memory(var blocks, let reserved) = place else { return }
    while blocks.count < blockCount { blocks.append(MemoryBlock()) }
    place = .memory(blocks, reserved)
  }

  /// What a thread reads into.
  struct Buffers {
    fileprivate var source = [UInt8](repeating: 0, count: pieceSize)
    fileprivate var copy = [UInt8](repeating: 0, count: pieceSize)
  }

  /// Reads a block of a file, compares every byte of it with the copy's, and writes what differs.
  ///
  /// What lies past the end of the file is zeros.
  /// - Parameters:
  ///   - index: of the block: its bytes begin at so many times `blockSize`.
  ///   - isNew: whether the copy has nothing of it yet: then nothing is compared.
  /// - Throws: what reading the file says; `SQLITE_FULL` and `SQLITE_IOERR` of the spool.
  func update(
    block index: Int, from file: VFSFile, isNew: Bool, _ buffers: inout Buffers
  ) throws(SQLiteError) {
    let start = UInt64(index) * UInt64(Self.blockSize)
    let count = Int(min(UInt64(Self.blockSize), byteCount - start))
    switch place {
    case .memory(let blocks, _):
      // One thread has it, and the others have theirs: the lock is never waited for.
      var held = blocks[index].bytes.withLock { bytes in
        defer { bytes = [] }
        return bytes
      }
      defer { blocks[index].bytes.withLock { [held] in $0 = held } }
      guard held.count == count else {
        held = try file.read(count, at: start).bytes
        return
      }
      for first in stride(from: 0, to: count, by: Self.pieceSize) {
        let piece = min(Self.pieceSize, count - first)
        try file.read(into: &buffers.source, 0..<piece, at: start + UInt64(first))
        if !SystemCalls.isSame(held, first..<first + piece, asBeginningOf: buffers.source) {
          held.replaceSubrange(first..<first + piece, with: buffers.source[..<piece])
        }
      }
    case .spool(let spool):
      for first in stride(from: 0, to: count, by: Self.pieceSize) {
        let piece = min(Self.pieceSize, count - first)
        let offset = start + UInt64(first)
        try file.read(into: &buffers.source, 0..<piece, at: offset)
        let there = isNew ? 0 : try spool.read(into: &buffers.copy, piece, at: offset)
        if there < piece || !SystemCalls.isSame(buffers.source, 0..<piece, asBeginningOf: buffers.copy) {
          try writeDifferences(of: buffers, there, piece, to: spool, at: offset)
        }
      }
    }
  }

  /// - Parameter there: how many bytes the copy has.
  private func writeDifferences(
    of buffers: Buffers, _ there: Int, _ count: Int, to spool: UnlinkedFile, at offset: UInt64
  ) throws(SQLiteError) {
    var first = 0
    while first < count {
      var last = first
      while last < count {
        let unit = last..<min(last + Self.unitSize, count)
        if unit.upperBound <= there, buffers.source[unit] == buffers.copy[unit] { break }
        last = unit.upperBound
      }
      if last > first { try spool.write(buffers.source, first..<last, at: offset + UInt64(first)) }
      first = last + Self.unitSize
    }
  }

  /// The `count` bytes from `offset` on, which have been brought up to date.
  ///
  /// - Throws: `SQLITE_IOERR`.
  func read(_ count: Int, at offset: UInt64) throws(SQLiteError) -> [UInt8] {
    switch place {
    case .spool(let spool): return try spool.read(count, at: offset)
    case .memory(let blocks, _):
      var bytes: [UInt8] = []
      bytes.reserveCapacity(count)
      while bytes.count < count {
        let position = offset + UInt64(bytes.count)
        let first = Int(position % UInt64(Self.blockSize))
        let last = min(first + count - bytes.count, Self.blockSize)
        bytes += blocks[Int(position / UInt64(Self.blockSize))].bytes.withLock { Array($0[first..<last]) }
      }
      return bytes
    }
  }
}
