import CSQLite
import Glibc

/// What a log's index, the shared memory behind the `-shm` file, says of the last commit.
///
/// The format is https://www.sqlite.org/walformat.html §2.1: two copies of twelve words in the machine's own
/// byte order. A writer changes one after the other; a reader takes them only if they agree.
struct WALIndexHeader {
  /// The frames in the log up to the last commit (`mxFrame`).
  let frameCount: Int
  /// The database's size in pages after that commit (`nPage`).
  let pageCount: UInt32
  /// The salts of the log that it speaks of, as they stand in the log's own header.
  let salts: (UInt32, UInt32)
  /// The frames that checkpoints have written to the database file (`nBackfill`): walformat.html §2.1.
  let backfilledCount: Int
  /// The frames that the last checkpoint was to write there, noted before it wrote the first (`nBackfillAttempted`).
  let backfillAttempted: Int

  private static let wordCount = 12
  /// Of the words before them, both copies of the header are 24; the five read marks and the locks follow `nBackfill`.
  private static let backfilledWord = 24
  private static let attemptedWord = 32
  /// A writer is between the two copies for nanoseconds, unless it is stopped or killed just there.
  private static let attempts = 100

  /// Reads the header of a database that this connection has a read transaction on.
  ///
  /// - Throws: `SQLITE_BUSY` if the two copies never agree: a writer died between them, and the next will mend
  ///   it.
  init(of database: OpenFile) throws(SQLiteError) {
    for attempt in 0..<Self.attempts {
      if attempt > 0 { usleep(100) }
      let words = try database.sharedMemory(wordCount: Self.attemptedWord + 1)
      let first = words[..<Self.wordCount]
      guard first.elementsEqual(words[Self.wordCount..<2 * Self.wordCount]), Self.isWhole(first) else {
        continue
      }
      // A writer that restarts the WAL replaces the header before it resets the counts: they are of this log if it stays.
      guard try database.sharedMemory(wordCount: Self.wordCount).elementsEqual(first) else { continue }
      frameCount = Int(words[4])
      pageCount = words[5]
      salts = (words[8], words[9])
      backfilledCount = Int(words[Self.backfilledWord])
      backfillAttempted = Int(words[Self.attemptedWord])
      return
    }
    throw SQLiteError(code: SQLITE_BUSY, message: "the index of the write-ahead log is being changed")
  }

  /// The last two words are the checksum of the ten before them.
  private static func isWhole(_ words: ArraySlice<UInt32>) -> Bool {
    var first: UInt32 = 0
    var second: UInt32 = 0
    for index in stride(from: 0, to: 10, by: 2) {
      first &+= words[index] &+ second
      second &+= words[index + 1] &+ first
    }
    return words[10] == first && words[11] == second
  }
}
