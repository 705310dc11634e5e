package import Archive
import SQLiteSnapshot
import System
import Zip

/// What an archive is found to be, everything in it having been read.
package struct Verification: Sendable {
  /// What a caller asks for.
  package struct Options: Sendable {
    /// A path; nil for standard input, which may be a pipe.
    package var archive: String?
    /// Whether SQLite checks databases with `quick_check` alone.
    package var quick: Bool
    /// Where a database lies while SQLite checks it.
    package var spoolDirectory: String
    /// How long SQLite may check one database.
    package var checkTimeout: Duration

    /// Makes options of all of them.
    package init(archive: String?, quick: Bool, spoolDirectory: String, checkTimeout: Duration) {
      self.archive = archive
      self.quick = quick
      self.spoolDirectory = spoolDirectory
      self.checkTimeout = checkTimeout
    }
  }

  /// What there is to be said in one word.
  package enum Verdict: String, Codable, Sendable {
    /// Everything is as the manifest says, and nothing was skipped.
    case whole
    /// Everything is as the manifest says, and the manifest says that something was skipped.
    case incomplete
    /// Something is not.
    case damaged
    /// Nothing is known to be wrong, but the check of a database did not come to its end.
    case unfinished
    /// It is no archive of ours; as a zip, if it is one, it is sound.
    case foreign
  }

  /// One entry of the archive.
  package struct Entry: Codable, Sendable {
    /// The path in the archive.
    package var path: String
    /// In bytes, uncompressed.
    package var size: UInt64
    /// In hexadecimal.
    package var sha256: String
    /// Whether it begins as a database does.
    package var isDatabase: Bool
    /// What is wrong; nil if nothing is.
    package var fault: String?
    /// What else is to be known.
    package var note: String?
    /// What of a database could not be judged here, a part each: it needs what only its application has.
    package var notChecked: [String]?
    /// Why the check of a database did not come to its end.
    package var notFinished: String?
    /// 0 if it could not be read.
    var crc32: UInt32 = 0
    /// Whether the fault is one of the zip, whatever is in the entry.
    var isUnreadable = false

    var bytePath: BytePath { BytePath(path) }

    enum CodingKeys: String, CodingKey {
      case path, size, sha256, fault, note
      case isDatabase = "database"
      case notChecked = "not_checked"
      case notFinished = "not_finished"
    }
  }

  /// The word for it all.
  package internal(set) var verdict = Verdict.whole
  /// In their order; those that were read before a fault ended the reading.
  package internal(set) var entries: [Entry] = []
  /// What is wrong with the archive as such.
  package internal(set) var faults: [String] = []
  /// What the manifest says was skipped.
  package internal(set) var skipped: [Skipped] = []
  /// What the manifest says that it has; nil without one.
  package internal(set) var inventory: ArchiveInventory?

  private let options: Options

  /// Reads an archive.
  ///
  /// - Parameters:
  ///   - progress: gets how many bytes of data were read, and of how many, if that is known.
  ///   - isInterrupted: whether to end the reading.
  /// - Throws: `RestoreError.interrupted`; `SystemError` if it cannot be opened; what keeps a database from being checked.
  package init(
    _ options: Options, progress: @escaping (UInt64, UInt64?) -> Void,
    isInterrupted: @escaping @Sendable () -> Bool
  ) throws {
    self.options = options
    var contents: ArchiveContents?
    do {
      let opened = try ArchiveContents(path: options.archive, isInterrupted: isInterrupted)
      contents = opened
      var checks = EntryChecks(options, isInterrupted: isInterrupted)
      defer { checks.discard() }
      do { try readEntries(of: opened, &checks, progress) } catch let error as ZipReadError {
        try checks.finish(&entries)
        throw error
      }
      try checks.finish(&entries)
    } catch let error as ZipReadError {
      if case .unreadable = error.fault {
        if isInterrupted() { throw RestoreError.interrupted }
        throw error
      }
      if error.fault == .noArchive {
        faults = ["it is no zip"]
        verdict = .foreign
        return
      }
      faults.append("\(error)")
      // What comes after it was not read. It may be sound.
      if case .undecodable = error.fault, entries.allSatisfy({ $0.fault == nil }) {
        verdict = .foreign
        return
      }
    }
    judge(contents)
  }

  private mutating func readEntries(
    of contents: ArchiveContents, _ checks: inout EntryChecks,
    _ progress: @escaping (UInt64, UInt64?) -> Void
  ) throws {
    try contents.forEachEntry(progress) { path, size, read in
      if let size, let difference = contents.difference(path, size: size) {
        entries.append(
          Entry(path: path.lossyString, size: size, sha256: "", isDatabase: false, fault: "\(difference)"))
        return nil
      }
      return try check(path, size, &checks, read)
    }
  }

  /// Sums one entry up, and begins to let SQLite check it if it is a database.
  ///
  /// - Returns: why it could not be read to its end.
  private mutating func check(
    _ path: BytePath, _ size: UInt64?, _ checks: inout EntryChecks, _ read: ArchiveContents.Read
  ) throws -> ZipReadError? {
    try checks.leaveRoom(for: size, &entries)
    var digest = EntryDigest()
    var sniffed = SniffedDatabase(in: options.spoolDirectory, memorySize: checks.memorySize)
    var crc32: UInt32 = 0
    var unreadable: ZipReadError?
    // A large database is checked while it comes, if no other is, and its size is known.
    let size = checks.isBegun ? nil : size
    var isBegun = false
    do {
      crc32 = try read { piece in
        digest.append(piece)
        do { try sniffed.append(piece) } catch let error as SQLiteError
          where error.reason == .spoolFull && checks.isBegun && !isBegun
        {
          // The databases before it have the room.
          try checks.finish(&entries)
          try sniffed.append(piece)
        }
        if isBegun { return }
        try checks.goOn(&entries)
        if let size, let database = sniffed.growing(to: size) {
          isBegun = true
          try checks.begin(database, of: entries.count)
        }
      }
    } catch let error as ZipReadError where error.fault.isDamage {
      unreadable = error
    } catch {
      sniffed.stop()
      if isBegun { checks.discard() }
      throw error
    }
    let content = digest.content(crc32: crc32)
    entries.append(
      Entry(
        path: path.lossyString, size: content.size, sha256: content.sha256, isDatabase: sniffed.isDatabase,
        fault: unreadable.map { "\($0)" }, crc32: crc32, isUnreadable: unreadable != nil))
    let database = sniffed.finished()
    if unreadable != nil {
      if isBegun { checks.discard() }
    } else if let database, !isBegun {
      try checks.add(database, of: entries.count - 1)
    }
    return unreadable
  }
}

extension ZipReadError.Fault {
  /// Not if the file cannot be read, or what it is packed with is not known.
  fileprivate var isDamage: Bool {
    switch self {
    case .unreadable, .undecodable: false
    default: true
    }
  }
}
