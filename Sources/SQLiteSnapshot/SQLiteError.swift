import CSQLite

/// What SQLite answered instead of `SQLITE_OK`.
package struct SQLiteError: Error, Equatable, Sendable {
  /// The extended result code; see https://www.sqlite.org/rescode.html.
  package let code: Int32
  /// SQLite's own words.
  package let message: String

  /// Makes an error of a result code and words for it.
  package init(code: Int32, message: String) {
    self.code = code
    self.message = message
  }

  /// Why a database could not be taken, in one stable word for programs.
  package var reason: Reason {
    switch code {
    case Self.readonlyRollback: return .hotJournal
    case Self.cannotOpenSymlink: return .symbolicLink
    case Self.databaseMoved: return .changed
    case Self.unseenWriterCode: return .unseenWriter
    case Self.encryptedOrForeign: return .encryptedOrForeign
    case Self.unsupportedFormat: return .unsupportedFormat
    default: break
    }
    switch code & 0xff {
    case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL: return .locked
    case SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH: return .permission
    case SQLITE_CANTOPEN: return .cannotOpen
    case SQLITE_NOTADB: return .notADatabase
    case SQLITE_CORRUPT: return .corrupt
    case SQLITE_FULL: return .spoolFull
    case SQLITE_NOMEM: return .noMemory
    case SQLITE_INTERRUPT: return .cancelled
    default: return .inputOutput
    }
  }

  /// The reasons that a manifest names.
  package enum Reason: String, Sendable {
    /// Another connection held its lock for longer than the busy timeout.
    case locked
    /// A writer crashed and left a journal, which only a read-write connection may roll back.
    case hotJournal = "hot-journal"
    /// The file, its directory, its `-wal` or its `-shm` may not be read, or not be written for the locks.
    case permission
    /// A symbolic link, which is not followed.
    case symbolicLink = "symbolic-link"
    /// It is not there any more.
    case missing
    /// It, its `-wal` or its `-shm` was moved, replaced or deleted while it was taken, or became what it was not.
    case changed
    /// A process that does not see this process's locks, or whose locks this process does not see, wrote to it.
    case unseenWriter = "unseen-writer"
    /// SQLite could not open it; the detail says why.
    case cannotOpen = "cannot-open"
    /// Its first bytes are not SQLite's: damaged or encrypted.
    case notADatabase = "not-a-database"
    /// It begins as SQLite's databases do, and the rest of its header cannot be SQLite's: encrypted, or another engine's.
    case encryptedOrForeign = "encrypted-or-foreign"
    /// Its header gives a format version that SQLite refuses to read: another engine keeps a log of its own for it.
    case unsupportedFormat = "unsupported-format"
    /// Its structure is damaged.
    case corrupt
    /// The copy does not fit into the spool directory's file system.
    case spoolFull = "spool-full"
    /// No memory.
    case noMemory = "no-memory"
    /// The backup was called off.
    case cancelled
    /// Reading failed.
    case inputOutput = "io-error"
  }

  // Extended codes are macros that combine others, which Swift does not import.
  private static let readonlyRollback = SQLITE_READONLY | 3 << 8
  static let cannotOpenSymlink = SQLITE_CANTOPEN | 6 << 8
  static let shortRead = SQLITE_IOERR | 2 << 8
  static let deleteFailed = SQLITE_IOERR | 10 << 8
  private static let databaseMoved = SQLITE_READONLY | 4 << 8

  /// Of our own, under "Problem with file locking protocol used by SQLite".
  private static let unseenWriterCode = SQLITE_PROTOCOL | 1 << 8

  // Ours: SQLite extends `SQLITE_NOTADB` by nothing.
  static let encryptedOrForeign = SQLITE_NOTADB | 254 << 8
  static let unsupportedFormat = SQLITE_NOTADB | 255 << 8

  static let moved = SQLiteError(
    code: databaseMoved, message: "it, its -wal or its -shm was moved, replaced or deleted while it was taken"
  )

  /// A write that a correct SQLite could not have made under the locks of this process.
  ///
  /// - Parameter detail: what was found.
  static func unseenWriter(_ detail: String) -> SQLiteError {
    SQLiteError(
      code: unseenWriterCode,
      message: "a process that does not share SQLite's locks with Sluice writes to it: \(detail)")
  }

  /// A writer that locks the database by a folder beside it, which SQLite's other connections do not look for.
  static let lockFolder = unseenWriter(
    "the folder beside it whose name ends in .lock is a lock of SQLite's VFS unix-dotfile")

  /// Its reader has left.
  static let calledOff = SQLiteError(code: SQLITE_INTERRUPT, message: "called off")

  /// A database was switched to WAL mode while it was copied: its file alone is not its state any more.
  static let becameWAL = SQLiteError(
    code: databaseMoved, message: "it was switched to WAL mode while it was copied")

  /// Another file took a plain file's name while it was opened.
  package static let replaced = SQLiteError(
    code: databaseMoved, message: "it was replaced while it was opened, time and again")

  /// A plain file never held still for as long as it takes to copy it.
  package static let keepsChanging = SQLiteError(
    code: databaseMoved, message: "it is no SQLite database, and was written to each time that it was copied")

  /// What a plain file holds is not what its status says, so nothing tells whether all of it was read.
  package static let hasNoSize = SQLiteError(
    code: SQLITE_IOERR, message: "its file system gives it a size of 0 bytes, and yet it has content")

  /// A plain file lost bytes.
  static let becameShorter = SQLiteError(
    code: databaseMoved, message: "it became shorter while it was read")

  /// A writer whose journal SQLite takes for a crashed one's, since it sees no lock.
  static let journalInUse = unseenWriter(
    "its journal is that of a transaction under way, whose lock is not seen")

  /// What was no database began to be one while it was read as a plain file.
  package static let becameDatabase = SQLiteError(
    code: databaseMoved, message: "it became a database while it was taken for a plain file")
}

extension SQLiteError: CustomStringConvertible {
  /// The words, and SQLite's code if it is SQLite's.
  package var description: String { isOurs ? message : "\(message) (SQLite code \(code))" }

  /// Whether SQLite knows nothing of the code.
  private var isOurs: Bool {
    [Self.unseenWriterCode, Self.encryptedOrForeign, Self.unsupportedFormat].contains(code)
  }
}
