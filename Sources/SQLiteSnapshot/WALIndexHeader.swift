import CSQLite
import Glibc

/// What a WAL's index, the shared memory behind the `-shm` file, says of the last commit.
///
/// The format is https://www.sqlite.org/walformat.html §2.1: two copies of twelve words in the machine's own
/// byte order. A writer changes one after the other; a reader takes them only if they agree.
struct WALIndexHeader {
  /// The frames in the WAL up to the last commit (`mxFrame`).
  let frameCount: Int
  /// The database's size in pages after that commit (`nPage`).
  let pageCount: UInt32
  /// The salts of the WAL that it speaks of, as they stand in the WAL's own header.
  let salts: WALSalts
  /// The frames that checkpoints have written to the database file (`nBackfill`).
  let backfilledCount: Int
  /// The frames that the last checkpoint was to write there, noted before it wrote the first (`nBackfillAttempted`).
  let backfillAttempted: Int
  /// The last frames that the readers of each mark read (`aReadMark`).
  let readMarks: [UInt32]

  /// Where the fields stand, in words.
  private enum Word {
    static let maxFrame = 4
    static let pageCount = 5
    static let salts = 8
    static let checksum = 10
    static let copySize = 12
    /// Both copies stand before it; the locks follow the read marks.
    static let backfill = 24
    static let readMarks = 25..<30
    static let backfillAttempted = 32
  }

  /// A writer is between the two copies for nanoseconds, unless it is stopped or killed just there.
  private static let attempts = 100
  private static let microsecondsBetweenAttempts: useconds_t = 100

  /// Reads the header of a database that this connection has a read transaction on.
  ///
  /// - Throws: `SQLITE_BUSY` if the two copies never agree: a writer died between them, and the next will mend
  ///   it.
  init(of database: VFSFile) throws(SQLiteError) {
    for attempt in 0..<Self.attempts {
      if attempt > 0 { usleep(Self.microsecondsBetweenAttempts) }
      let words = try database.sharedMemory(wordCount: Word.backfillAttempted + 1)
      let first = words[..<Word.copySize]
      guard first.elementsEqual(words[Word.copySize..<2 * Word.copySize]), Self.isWhole(words) else {
        continue
      }
      // A writer that restarts the WAL replaces the header before it resets the counts: they are of this WAL if it stays.
      guard try database.sharedMemory(wordCount: Word.copySize).elementsEqual(first) else { continue }
      frameCount = Int(words[Word.maxFrame])
      pageCount = words[Word.pageCount]
      salts = WALSalts(words, at: Word.salts)
      backfilledCount = Int(words[Word.backfill])
      backfillAttempted = Int(words[Word.backfillAttempted])
      readMarks = Array(words[Word.readMarks])
      return
    }
    throw SQLiteError(code: SQLITE_BUSY, message: "the index of the write-ahead log is being changed")
  }

  /// Where a read mark stands.
  static func word(ofReadMark number: Int) -> Int { Word.readMarks.lowerBound + number }

  /// Whether the checksum of the first copy agrees with the words before it.
  private static func isWhole(_ words: [UInt32]) -> Bool {
    var first: UInt32 = 0
    var second: UInt32 = 0
    for index in stride(from: 0, to: Word.checksum, by: 2) {
      first &+= words[index] &+ second
      second &+= words[index + 1] &+ first
    }
    return words[Word.checksum] == first && words[Word.checksum + 1] == second
  }
}
