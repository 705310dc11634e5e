import CSQLite
import Glibc

/// A read mark of a wal-index that this process holds: a checkpoint writes nothing to the database file that comes after the
/// mark's frame, and no writer restarts the WAL. walformat.html §2.3.
///
/// A reader that finds the WAL wholly checkpointed, or empty, gets mark 0 of SQLite, which stands for the database file alone.
/// Then each commit begins a checkpoint that sorts every frame of the WAL, and gives up: with 40,000 frames, a commit takes
/// a hundred times as long. Under a mark of the WAL's last frame, a checkpoint sees beforehand that it can write nothing.
struct ReadMark {
  private let file: VFSFile
  private let number: Int

  /// Marks 1 to 4 have a frame each; mark 0 has none.
  private static let numbers = 1...4
  /// `WAL_READ_LOCK(0)`.
  private static let firstLock: Int32 = 3

  private var lock: Int32 { Self.firstLock + Int32(number) }

  /// How often and at what distance a checkpoint is looked at that may not know the mark: it has nothing to write, and ends soon,
  /// unless it waits for readers.
  private static let looks = 20
  private static let microsecondsBetweenLooks: useconds_t = 500

  /// Takes a mark that no reader holds, as a reader of SQLite does, and sets it to the last frame.
  ///
  /// - Parameter index: read under a read transaction that lasts, with every frame checkpointed.
  /// - Returns: nil if each mark is held by a reader, if this process must not write to the wal-index, if that has changed, or if a
  ///   checkpoint may have read the marks before.
  static func take(_ file: VFSFile, atLastFrameOf index: WALIndexHeader) throws(SQLiteError) -> ReadMark? {
    for number in numbers {
      let mark = ReadMark(file: file, number: number)
      if try mark.take(atLastFrameOf: index) { return mark }
    }
    return nil
  }

  private func take(atLastFrameOf index: WALIndexHeader) throws(SQLiteError) -> Bool {
    let frame = UInt32(index.frameCount)
    // Exclusive: so it is no mark that the connection's own transaction holds, and would release at its end.
    guard try file.lock(lock, exclusively: true) else { return false }
    let isSet = try? file.setSharedMemory(word: WALIndexHeader.word(ofReadMark: number), frame)
    file.unlock(lock, exclusively: true)
    guard isSet == true, try file.lock(lock, exclusively: false) else { return false }
    // As a reader of SQLite looks again: a checkpoint or a writer may have come before the lock.
    if let now = try? WALIndexHeader(of: file), now.salts == index.salts, now.readMarks[number] == frame,
      now.backfilledCount == index.frameCount, now.backfillAttempted <= index.frameCount,
      now.frameCount == index.frameCount || isKnownToCheckpoints()
    {
      return true
    }
    release()
    return false
  }

  /// Whether no checkpoint is under way that read the marks before this one was set. Such a one has found later commits, and writes
  /// them once the transaction ends: in SQLite's `wal.c`, `walCheckpoint` reads the marks first and locks mark 0 after.
  private func isKnownToCheckpoints() -> Bool {
    for look in 0..<Self.looks {
      if look > 0 { usleep(Self.microsecondsBetweenLooks) }
      if (try? file.isLocked(PinnedState.checkpointLock)) == false { return true }
    }
    return false
  }

  /// To be called before the file is closed, which would leave the mark held as long as another connection of this process has
  /// the wal-index open.
  func release() { file.unlock(lock, exclusively: false) }
}
