import Synchronization
import System

/// One reading of a part of a database file, by all threads of a team, that brings the copy up to date.
///
/// What a pass without a lock has read decides nothing: it may be torn. A pass under SQLite's lock compares every byte.
final class CopyPass: Sendable {
  private let file: VFSFile.Address
  private let copy: CopiedBytes
  private let isNew: Bool
  private let end: Int
  /// The next block that no thread has taken yet.
  private let next: Atomic<Int>
  private let isStopped = Atomic<Bool>(false)
  private let failure = Lock<SQLiteError?>(nil)

  private init(_ file: VFSFile, _ copy: CopiedBytes, isNew: Bool, blocks: Range<Int>) {
    self.file = file.address
    self.copy = copy
    self.isNew = isNew
    next = Atomic(blocks.lowerBound)
    end = blocks.upperBound
  }

  /// Brings blocks of a copy up to date.
  ///
  /// - Parameters:
  ///   - file: stays open, and is used by no other thread meanwhile.
  ///   - isNew: whether the copy has nothing of them yet.
  /// - Throws: `SQLITE_INTERRUPT` if the task is cancelled; what `CopiedBytes.update` throws.
  static func update(
    _ copy: CopiedBytes, from file: VFSFile, isNew: Bool = false, blocks: Range<Int>, _ team: ThreadTeam
  ) throws(SQLiteError) {
    let pass = CopyPass(file, copy, isNew: isNew, blocks: blocks)
    if blocks.count > 1, DatabaseConnection.readsByOffset {
      // The helpers are in no task: they stop when the thread that is says so.
      let owner = SystemCalls.currentThread()
      team.run { pass.run { SystemCalls.currentThread() == owner && Task.isCancelled } }
    } else {
      pass.run { Task.isCancelled }
    }
    if let failure = pass.failure.withLock({ $0 }) { throw failure }
  }

  private func run(isCancelled: () -> Bool) {
    guard let file = VFSFile(at: file) else { return }
    var buffers = CopiedBytes.Buffers()
    while !isStopped.load(ordering: .relaxed) {
      if isCancelled() { return stop(.calledOff) }
      let block = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard block < end else { return }
      do throws(SQLiteError) { try copy.update(block: block, from: file, isNew: isNew, &buffers) } catch {
        return stop(error)
      }
    }
  }

  private func stop(_ error: SQLiteError) {
    isStopped.store(true, ordering: .relaxed)
    failure.withLock { $0 = $0 ?? error }
  }
}
