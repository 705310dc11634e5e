package import Archive
import Crypto
import SQLiteSnapshot
import System
import Zip

/// What an archive is found to be, everything in it having been read.
package struct Verification: Sendable {
  /// What a caller asks for.
  package struct Options: Sendable {
    /// A path; nil for standard input, which may be a pipe.
    package var archive: String?
    /// Whether SQLite looks at databases with `quick_check` alone.
    package var quick: Bool
    /// Where a database lies while SQLite looks at it.
    package var spoolDirectory: String
    /// How long SQLite may look at one database.
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
    /// Whether SQLite has looked at it.
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

  private var check: BoundedCheck

  /// What is in MANIFEST.json and VERSION.
  var contents: [String: [UInt8]] = [:]

  /// Entries whose content is looked at, and the most that is kept of it.
  private static let keptSizes = [
    "MANIFEST.json": Manifest.maximumSize, "VERSION": Manifest.maximumVersionSize,
  ]
  private static let databaseHeader = Array("SQLite format 3\0".utf8)

  /// Reads an archive.
  ///
  /// - Parameters:
  ///   - progress: is told how many bytes of data were read, and of how many, if that is known.
  ///   - isInterrupted: whether to leave it at that.
  /// - Throws: `RestoreError.interrupted`; `SystemError` if it cannot be opened; what keeps a database from being looked at.
  package init(
    _ options: Options, progress: (UInt64, UInt64?) -> Void, isInterrupted: @escaping @Sendable () -> Bool
  ) throws {
    let opened = try options.archive.map { ArchiveDescriptor(try FileSystem.openArchive($0)) }
    defer { withExtendedLifetime(opened) {} }
    let descriptor = opened?.descriptor.rawValue ?? FileSystem.standardInput
    check = BoundedCheck(
      timeLimit: options.checkTimeout, isThorough: !options.quick, isInterrupted: isInterrupted)
    do {
      if ZipArchive.isFile(descriptor) {
        try readFile(descriptor, options, progress, isInterrupted)
      } else {
        try readPipe(descriptor, options, progress, isInterrupted)
      }
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
    }
    judge()
  }

  private mutating func readFile(
    _ descriptor: CInt, _ options: Options, _ progress: (UInt64, UInt64?) -> Void,
    _ isInterrupted: @escaping @Sendable () -> Bool
  ) throws {
    let archive = try ZipArchive(descriptor)
    // So that nothing is inflated that the manifest does not know.
    var promised: [[UInt8]: UInt64]?
    if let member = archive.members.first(where: { $0.name == "MANIFEST.json" }),
      member.size <= Manifest.maximumSize
    {
      var text: [UInt8] = []
      try archive.read(member) { text += $0 }
      promised = Manifest(text).map { (manifest: Manifest) in
        Dictionary(manifest.entries.map { ($0.path.bytes, $0.size) }) { first, _ in first }
      }
    }
    let total = archive.members.reduce(0) { $0 + $1.size }
    var done: UInt64 = 0
    for member in archive.members where !member.isDirectory {
      if let promised, member.name != "MANIFEST.json", promised[member.name.bytes] != member.size {
        let fault =
          promised[member.name.bytes] == nil
          ? "the manifest has no such entry" : "has another size in the manifest"
        entries.append(
          Entry(path: member.name, size: member.size, sha256: "", isDatabase: false, fault: fault))
        continue
      }
      _ = try look(at: member.name, options) { body in
        try archive.read(member) { piece in
          if isInterrupted() { throw RestoreError.interrupted }
          try body(piece)
          done += UInt64(piece.count)
          progress(done, total)
        }
        return member.crc32
      }
    }
  }

  private mutating func readPipe(
    _ descriptor: CInt, _ options: Options, _ progress: (UInt64, UInt64?) -> Void,
    _ isInterrupted: @escaping @Sendable () -> Bool
  ) throws {
    var stream = ZipStream(descriptor, isGivenUp: isInterrupted)
    var done: UInt64 = 0
    while let name = try stream.next() {
      let fault = try look(at: name, options) { body in
        try stream.read { piece in
          if isInterrupted() { throw RestoreError.interrupted }
          try body(piece)
          done += UInt64(piece.count)
          progress(done, nil)
        }.crc32
      }
      // Nobody knows where the next one begins.
      if let fault { throw fault }
    }
  }

  /// Sums one entry up, and lets SQLite look at it if it is a database.
  ///
  /// - Parameter read: hands the content on, piece by piece, and returns its CRC-32.
  /// - Returns: why it could not be read to its end.
  private mutating func look(
    at path: String, _ options: Options, _ read: (([UInt8]) throws -> Void) throws -> UInt32
  ) throws -> ZipReadError? {
    guard path.utf8.last != UInt8(ascii: "/") else {
      _ = try read { _ in }
      return nil
    }
    var hash = SHA256()
    var size: UInt64 = 0
    var crc32: UInt32 = 0
    var kept: [UInt8] = []
    let keptSize = Self.keptSizes[path] ?? 0
    var spool: DatabaseSpool?
    // Until there is enough to know a database by.
    var start: [UInt8] = []
    var unreadable: ZipReadError?
    do {
      crc32 = try read { piece in
        hash.update(data: piece)
        if size < Self.databaseHeader.count { start += piece } else { try spool?.append(piece) }
        if size < Self.databaseHeader.count, start.starts(with: Self.databaseHeader) {
          spool = DatabaseSpool(in: options.spoolDirectory)
          try spool?.append(start)
        }
        if kept.count + piece.count <= keptSize { kept += piece }
        size += UInt64(piece.count)
      }
    } catch let error as ZipReadError {
      if case .unreadable = error.fault { throw error }
      unreadable = error
    }
    if keptSize > 0, kept.count == size { contents[path] = kept }
    var entry = Entry(
      path: path, size: size, sha256: hash.finalize().hexadecimal, isDatabase: spool != nil,
      fault: unreadable.map { "\($0)" }, crc32: crc32)
    if unreadable == nil, let content = spool.take()?.finished() {
      let findings = try check.findings(of: content)
      entry.fault = findings.fault
      entry.note = findings.remarks.isEmpty ? nil : findings.remarks.joined(separator: "; ")
      entry.notChecked = findings.unchecked.isEmpty ? nil : findings.unchecked
      entry.notFinished = findings.unfinished
    }
    entries.append(entry)
    return unreadable
  }
}

/// An archive that is open for as long as this object lives.
final class ArchiveDescriptor {
  let descriptor: Descriptor
  init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}
