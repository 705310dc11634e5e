internal import Crypto
internal import EventLoop
internal import SQLiteSnapshot
internal import Zip

/// What an archive is found to be, everything in it having been read.
public struct Verification: Sendable {
  /// What a caller asks for.
  public struct Options: Sendable {
    /// A path; nil for standard input, which may be a pipe.
    public var archive: String?
    /// Whether SQLite looks at databases with `quick_check` alone.
    public var quick: Bool
    /// Where a database lies while SQLite looks at it.
    public var spoolDirectory: String

    /// Makes options of all three.
    public init(archive: String?, quick: Bool, spoolDirectory: String) {
      self.archive = archive
      self.quick = quick
      self.spoolDirectory = spoolDirectory
    }
  }

  /// What there is to be said in one word.
  public enum Verdict: String, Codable, Sendable {
    /// Everything is as the manifest says, and nothing was skipped.
    case whole
    /// Everything is as the manifest says, and the manifest says that something was skipped.
    case incomplete
    /// Something is not.
    case damaged
    /// It is no archive of ours; as a zip, if it is one, it is sound.
    case foreign
  }

  /// One entry of the archive.
  public struct Entry: Codable, Sendable {
    /// The path in the archive.
    public var path: String
    /// In bytes, uncompressed.
    public var size: UInt64
    /// In hexadecimal.
    public var sha256: String
    /// Whether SQLite has looked at it.
    public var isDatabase: Bool
    /// What is wrong; nil if nothing is.
    public var fault: String?
    /// What else is to be known.
    public var note: String?

    enum CodingKeys: String, CodingKey {
      case path, size, sha256, fault, note
      case isDatabase = "database"
    }
  }

  /// The word for it all.
  public private(set) var verdict = Verdict.whole
  /// In their order; those that were read before a fault ended the reading.
  public private(set) var entries: [Entry] = []
  /// What is wrong with the archive as such.
  public private(set) var faults: [String] = []
  /// What the manifest says was skipped.
  public private(set) var skipped: [Skipped] = []

  private var crcs: [String: UInt32] = [:]
  private var contents: [String: [UInt8]] = [:]

  /// Entries whose content is looked at, and the most that is kept of it.
  private static let keptSizes = ["MANIFEST.json": Manifest.maximumSize, "VERSION": 1 << 16]
  private static let databaseHeader = Array("SQLite format 3\0".utf8)

  /// Reads an archive.
  ///
  /// - Parameters:
  ///   - progress: is told how many bytes were read of how many, if that is known.
  ///   - isInterrupted: whether to leave it at that.
  /// - Throws: `RestoreError.interrupted`; `SystemError` if it cannot be opened; what keeps a database from being looked at.
  public init(
    _ options: Options, progress: (UInt64, UInt64?) -> Void, isInterrupted: () -> Bool
  ) throws {
    let opened = try options.archive.map { ArchiveDescriptor(try FileSystem.open($0)) }
    defer { withExtendedLifetime(opened) {} }
    let descriptor = opened?.descriptor.rawValue ?? FileSystem.standardInput
    do {
      if ZipArchive.isFile(descriptor) {
        try readFile(descriptor, options, progress, isInterrupted)
      } else {
        try readPipe(descriptor, options, progress, isInterrupted)
      }
    } catch let error as ZipReadError {
      if case .unreadable = error.fault { throw error }
      if error.isNoZip {
        faults = ["it is no zip"]
        verdict = .foreign
        return
      }
      faults.append("\(error)")
    }
    judge()
  }

  // MARK: reading

  private mutating func readFile(
    _ descriptor: CInt, _ options: Options, _ progress: (UInt64, UInt64?) -> Void, _ isInterrupted: () -> Bool
  ) throws {
    let archive = try ZipArchive(descriptor)
    // So that nothing is inflated that the manifest does not know.
    var promised: [String: UInt64]?
    if let member = archive.members.first(where: { $0.name == "MANIFEST.json" }),
      member.size <= Manifest.maximumSize
    {
      var text: [UInt8] = []
      try archive.read(member) { text += $0 }
      promised = Manifest(text).map { (manifest: Manifest) in
        Dictionary(manifest.entries.map { ($0.path, $0.size) }) { first, _ in first }
      }
    }
    var done: UInt64 = 0
    for member in archive.members where !member.isDirectory {
      if let promised, member.name != "MANIFEST.json", promised[member.name] != member.size {
        let fault =
          promised[member.name] == nil ? "the manifest has no such entry" : "has another size in the manifest"
        entries.append(
          Entry(path: member.name, size: member.size, sha256: "", isDatabase: false, fault: fault))
        continue
      }
      let before = done
      done += member.compressedSize
      _ = try look(at: member.name, options) { body in
        try archive.read(member) { piece in
          if isInterrupted() { throw RestoreError.interrupted }
          try body(piece)
          progress(before, archive.byteCount)
        }
        return member.crc32
      }
    }
  }

  private mutating func readPipe(
    _ descriptor: CInt, _ options: Options, _ progress: (UInt64, UInt64?) -> Void, _ isInterrupted: () -> Bool
  ) throws {
    var stream = ZipStream(descriptor)
    while let name = try stream.next() {
      let fault = try look(at: name, options) { body in
        try stream.read { piece in
          if isInterrupted() { throw RestoreError.interrupted }
          try body(piece)
        }.crc32
      }
      progress(stream.byteCount, nil)
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
    guard !path.hasSuffix("/") else {
      _ = try read { _ in }
      return nil
    }
    var hash = SHA256()
    var size: UInt64 = 0
    var kept: [UInt8] = []
    let keptSize = Self.keptSizes[path] ?? 0
    var file: CheckedFile?
    // Until there is enough to know a database by.
    var start: [UInt8] = []
    var unreadable: ZipReadError?
    do {
      crcs[path] = try read { piece in
        hash.update(data: piece)
        if size < Self.databaseHeader.count { start += piece } else { try file?.append(piece) }
        if size < Self.databaseHeader.count, start.starts(with: Self.databaseHeader) {
          file = try CheckedFile(in: options.spoolDirectory)
          try file?.append(start)
        }
        if kept.count + piece.count <= keptSize { kept += piece }
        size += UInt64(piece.count)
      }
    } catch let error as ZipReadError {
      if case .unreadable = error.fault { throw error }
      unreadable = error
    }
    var fault = unreadable.map { "\($0)" }
    var strayKey: String?
    if fault == nil, let file {
      do {
        if options.quick {
          fault = try DatabaseCheck.quick(file.path)
        } else {
          (fault, strayKey) = try DatabaseCheck.thorough(file.path)
        }
      } catch { fault = "\(error)" }
    }
    let digest = hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    if keptSize > 0, kept.count == size { contents[path] = kept }
    entries.append(
      Entry(
        path: path, size: size, sha256: digest, isDatabase: file != nil, fault: fault,
        note: strayKey.map { "a foreign key in table \(printable($0)) leads nowhere" }))
    return unreadable
  }

  // MARK: comparing

  /// Compares everything with the manifest, and finds the verdict.
  private mutating func judge() {
    guard let text = contents["MANIFEST.json"], let manifest = Manifest(text) else {
      if !entries.contains(where: { $0.path == "MANIFEST.json" }) {
        let isDamaged = !faults.isEmpty || entries.contains { $0.fault != nil }
        verdict = isDamaged ? .damaged : .foreign
        if !isDamaged {
          faults.append("it is a zip without a MANIFEST.json: nothing tells what should be in it")
        }
      } else {
        faults.append("MANIFEST.json is none that this version can read")
        verdict = .damaged
      }
      return
    }
    skipped = manifest.skipped
    var promised: [String: Manifest.Entry] = [:]
    for entry in manifest.entries {
      if promised.updateValue(entry, forKey: entry.path) != nil {
        faults.append("the manifest has \(printable(entry.path)) twice")
      }
    }
    for index in entries.indices where entries[index].path != "MANIFEST.json" {
      guard let entry = promised.removeValue(forKey: entries[index].path) else {
        entries[index].fault = entries[index].fault ?? "the manifest has no such entry"
        continue
      }
      compare(&entries[index], with: entry)
    }
    for path in promised.keys.sorted() { faults.append("\(printable(path)): is missing") }
    if let version = contents["VERSION"], version != Array((manifest.appVersion + "\n").utf8) {
      faults.append("VERSION is not the manifest's app_version")
    }
    if manifest.complete != manifest.skipped.isEmpty {
      faults.append(
        "the manifest contradicts itself: it is \(manifest.complete ? "" : "not ")complete, and skipped \(manifest.skipped.count)"
      )
    }
    let isSound = faults.isEmpty && entries.allSatisfy { $0.fault == nil }
    verdict = isSound ? (manifest.complete ? .whole : .incomplete) : .damaged
  }

  private func compare(_ found: inout Entry, with promised: Manifest.Entry) {
    // A file that is no database to the manifest was taken as it lay there: SQLite's opinion is no more than that.
    if promised.kind == .file, let fault = found.fault, found.sha256 == promised.sha256 {
      found.note = "taken as a plain file; as a database it has a fault: \(fault)"
      found.fault = nil
    }
    guard found.fault == nil else { return }
    let digits = String(crcs[found.path] ?? 0, radix: 16)
    let crc32 = String(repeating: "0", count: 8 - digits.count) + digits
    if found.size != promised.size {
      found.fault = "has \(found.size) bytes, and \(promised.size) in the manifest"
    } else if found.sha256 != promised.sha256 {
      found.fault = "its SHA-256 is not the manifest's"
    } else if crc32 != promised.crc32 {
      found.fault = "its CRC-32 is not the manifest's"
    } else if promised.kind == .database, found.size > 0, !found.isDatabase {
      found.fault = "is a database in the manifest, and none to SQLite"
    } else if let database = promised.database,
      UInt64(max(0, database.pageSize)).multipliedReportingOverflow(by: UInt64(database.pageCount)) != (
        found.size, false
      )
    {
      found.fault = "has not the manifest's number of pages"
    }
  }
}

/// An archive that is open for as long as this object lives.
final class ArchiveDescriptor {
  let descriptor: Descriptor
  init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}

extension ZipReadError {
  /// Whether it does not even begin as a zip does.
  var isNoZip: Bool {
    switch fault {
    case .missing, .truncated: offset < 4
    default: false
    }
  }
}
