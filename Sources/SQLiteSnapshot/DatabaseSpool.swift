import CSQLite
import Glibc
package import System
import Synchronization

/// A database that is to be looked at, and that no other process knows of.
package enum DatabaseContent: Sendable {
  /// A file at an absolute path, which stays there.
  case path(BytePath)
  /// What a `DatabaseSpool` has taken.
  case spooled(SpooledDatabase)

  /// Looks at it with `PRAGMA quick_check`; thoroughly with `integrity_check`, which compares indexes with their tables,
  /// too, and with `foreign_key_check`. Whatever SQLite does is done on the calling thread, which may have to wait for an
  /// expression in a hostile schema long after the limit.
  package func findings(isThorough: Bool, _ limit: CheckLimit) -> DatabaseFindings {
    do throws(SQLiteError) {
      switch self {
      case .path(let path):
        return try DatabaseCheck(DatabaseConnection.untrusted(path), isThorough: isThorough, limit).run()
      case .spooled(let database): return try database.findings(isThorough: isThorough, limit)
      }
    } catch {
      var findings = DatabaseFindings()
      switch error.code & 0xff {
      case SQLITE_CORRUPT, SQLITE_NOTADB: findings.fault = "\(error)"
      case SQLITE_INTERRUPT: findings.unfinished = "not finished in time"
      default: findings.unfinished = "\(error)"
      }
      return findings
    }
  }
}

/// A database that comes piece by piece and is to be looked at: in memory while it is small, then in a file.
package struct DatabaseSpool: ~Copyable {
  /// The most that is held in memory, in bytes, if its maker names no other size.
  package static let memorySize = 4 << 20

  private let directory: String
  private let memorySize: Int
  private var bytes: [UInt8] = []
  private var file: SpoolFile?
  private var isOpened = false

  /// Makes an empty one.
  ///
  /// - Parameters:
  ///   - directory: where the file will be, if there is one.
  ///   - memorySize: the most that is held in memory, in bytes.
  package init(in directory: String, memorySize: Int = Self.memorySize) {
    self.directory = directory
    self.memorySize = memorySize
  }

  /// Adds bytes.
  ///
  /// - Throws: `SQLITE_FULL`, most often, for a disk that is, and then the same bytes can be added again; `SQLITE_CANTOPEN` when the file cannot be made.
  package mutating func append(_ piece: [UInt8]) throws(SQLiteError) {
    if file == nil, bytes.count + piece.count > memorySize {
      let file = try SpoolFile(in: directory)
      try file.append(bytes)
      bytes = []
      self.file = file
    }
    if let file { try file.append(piece) } else { bytes += piece }
  }

  // A check that waits for more waits in vain.
  deinit { file?.written.finish() }

  /// The database while it comes, once it is in a file: what looks at it waits for what has yet to come. Not more than once.
  ///
  /// - Parameter size: that it will have, in bytes.
  /// - Returns: nil while it is in memory, and if the file cannot be made so long.
  package mutating func growing(to size: UInt64) -> DatabaseContent? {
    guard let file, !isOpened else { return nil }
    isOpened = true
    return file.extend(to: size) ? .spooled(SpooledDatabase(.file(file))) : nil
  }

  /// All that came.
  package consuming func finished() -> DatabaseContent {
    file?.written.finish()
    return .spooled(file.map { SpooledDatabase(.file($0)) } ?? SpooledDatabase(.memory(bytes)))
  }
}

/// What a `DatabaseSpool` has taken; its file goes when it is opened to be looked at, or with this value.
package struct SpooledDatabase: Sendable {
  fileprivate enum Place: Sendable {
    case memory([UInt8])
    case file(SpoolFile)
  }

  private let place: Place
  fileprivate init(_ place: Place) { self.place = place }

  fileprivate func findings(isThorough: Bool, _ limit: CheckLimit) throws(SQLiteError) -> DatabaseFindings {
    switch place {
    case .file(let file):
      let connection = try DatabaseConnection.untrusted(file.path)
      // It is open: whatever ends this process, nothing is left.
      file.removeName()
      var database: DatabaseConnection? = consume connection
      return try DatabaseConnection.awaiting(file.written, limit) { () throws(SQLiteError) in
        guard let connection = database.take() else { fatalError("it is called once") }
        return try DatabaseCheck(connection, isThorough: isThorough, limit).run()
      }
    case .memory(var bytes):
      // In memory there is no WAL, and SQLite opens no database there that says it has one:
      // https://www.sqlite.org/c3ref/deserialize.html
      DatabaseHeader.setRollbackMode(in: &bytes)
      return try DatabaseConnection.withUntrusted(&bytes) { (connection) throws(SQLiteError) in
        try DatabaseCheck(connection, isThorough: isThorough, limit).run()
      }
    }
  }
}

/// A file in a folder of its own; both go with this object.
private final class SpoolFile: Sendable {
  let path: BytePath
  private let folder: BytePath
  private let descriptor: Descriptor
  private let hasName = Atomic<Bool>(true)
  let written: WrittenPart
  private let size = Atomic<UInt64>(0)

  init(in directory: String) throws(SQLiteError) {
    do { written = try WrittenPart() } catch {
      throw SQLiteError(code: SQLITE_CANTOPEN, message: "\(error)")
    }
    folder = try temporaryFolder(in: directory)
    path = folder.appending("check.db")
    do { descriptor = try FileSystem.makeFile(path) } catch {
      FileSystem.removeDirectory(folder)
      throw SQLiteError(
        code: SQLITE_CANTOPEN,
        message: "the spool directory \(directory) cannot be used: \(SystemCalls.describe(error.errno))")
    }
  }

  func append(_ bytes: [UInt8]) throws(SQLiteError) {
    do {
      // What a full disk took a part of is written once more by the next attempt.
      try descriptor.write(bytes, at: size.load(ordering: .relaxed))
      written.advance(to: size.add(UInt64(bytes.count), ordering: .relaxed).newValue)
    } catch {
      throw SQLiteError(
        code: SQLITE_FULL,
        message: "no room in the spool directory to check it: \(SystemCalls.describe(error.errno))")
    }
  }

  /// Makes it so long, with zeros where nothing was written yet.
  func extend(to size: UInt64) -> Bool { (try? descriptor.truncate(to: size)) != nil }

  func removeName() {
    guard hasName.exchange(false, ordering: .relaxed) else { return }
    try? FileSystem.remove(path)
    FileSystem.removeDirectory(folder)
  }

  deinit { removeName() }
}
