import Archive
import System
import Zip

/// An archive that is open, and its manifest. `verify`, `restore` and `keep` read through this.
///
/// A file is read by its central directory, and its manifest comes first. A pipe is read once, from its beginning, and its
/// manifest comes last.
final class ArchiveContents {
  /// What `MANIFEST.json` is found to be.
  enum ManifestState {
    /// There is none; in a pipe: none so far.
    case absent
    /// It is no manifest of ours, or of a later version.
    case unreadable
    case readable(ManifestComparison)
  }

  /// Inflates one entry, hands it on piece by piece, and returns its CRC-32.
  typealias Read = (_ body: ([UInt8]) throws -> Void) throws -> UInt32

  private(set) var manifest = ManifestState.absent
  /// The content of `VERSION`, once that was read; nil if it is longer than what is compared.
  private(set) var version: [UInt8]?
  /// Entries that are folders, as far as the archive was read.
  private(set) var folders: [BytePath] = []

  /// Nil for standard input.
  private let opened: Descriptor?
  private let descriptor: CInt
  /// Nil for a pipe.
  private let zip: ZipArchive?
  private let isInterrupted: @Sendable () -> Bool

  static let manifestName = BytePath(Manifest.entryName)
  static let versionName = BytePath(Manifest.versionEntryName)

  /// Opens an archive by its path.
  ///
  /// - Parameters:
  ///   - path: nil for standard input.
  ///   - isInterrupted: whether to end the reading.
  /// - Throws: `SystemError` if it cannot be opened; `ZipReadError` of a file.
  convenience init(path: String?, isInterrupted: @escaping @Sendable () -> Bool) throws {
    guard let path else {
      try self.init(nil, number: FileSystem.standardInput, isInterrupted)
      return
    }
    try self.init(try FileSystem.openArchive(path), isInterrupted: isInterrupted)
  }

  /// Reads the records of a file, and its manifest.
  ///
  /// - Throws: `ZipReadError`.
  convenience init(
    _ opened: consuming Descriptor, isInterrupted: @escaping @Sendable () -> Bool = { false }
  ) throws {
    let number = opened.rawValue
    try self.init(consume opened, number: number, isInterrupted)
  }

  private init(
    _ opened: consuming Descriptor?, number: CInt, _ isInterrupted: @escaping @Sendable () -> Bool
  ) throws {
    self.opened = opened
    descriptor = number
    self.isInterrupted = isInterrupted
    zip = ZipArchive.isFile(number) ? try ZipArchive(number) : nil
    guard let zip else { return }
    folders = zip.members.filter(\.isDirectory).map { BytePath($0.name) }
    // First, so that nothing is inflated that the manifest does not list.
    guard let member = zip.members.first(where: { BytePath($0.name) == Self.manifestName && !$0.isDirectory })
    else { return }
    manifest = .unreadable
    if member.size <= Manifest.maximumSize { try read(member) { _ in } }
  }

  var isPipe: Bool { zip == nil }

  /// The entries of a file that are no folders, in the order in which their data stands; none for a pipe.
  var members: [ZipMember] { zip?.members.filter { !$0.isDirectory } ?? [] }

  /// How an entry differs from the manifest by its size; nil also if there is none to compare with.
  func difference(_ path: BytePath, size: UInt64) -> EntryDifference? {
    // The manifest says nothing of itself.
    guard case .readable(let comparison) = manifest, path != Self.manifestName else { return nil }
    return comparison.difference(path, size: size)
  }

  /// How the archive as a whole differs from its manifest; nothing if it has none that can be read.
  ///
  /// - Parameter paths: of all entries.
  func differences(paths: Set<BytePath>) -> [ArchiveDifference] {
    guard case .readable(let comparison) = manifest else { return [] }
    return comparison.differences(paths: paths, folders: folders, version: version)
  }

  /// Inflates one member of a file, and hands it on piece by piece.
  ///
  /// - Throws: `ZipReadError`; `RestoreError.interrupted`; what `body` throws.
  func read(_ member: ZipMember, _ body: ([UInt8]) throws -> Void) throws {
    guard let zip else { preconditionFailure("a pipe has no members to choose from") }
    try keeping(BytePath(member.name)) { keep in
      try zip.read(member) { piece in
        keep(piece)
        try pass(piece, to: body)
      }
    }
  }

  /// Goes through the archive from its beginning to its end, but for folders.
  ///
  /// - Parameters:
  ///   - progress: gets how many bytes of data were read, and of how many, if that is known.
  ///   - visit: gets the path, the size in bytes if it is known beforehand, and what reads the entry: in a pipe it must be
  ///     read. Returns why it could not be read to its end.
  /// - Throws: `ZipReadError`; `RestoreError.interrupted`; what `visit` throws.
  func forEachEntry(
    _ progress: @escaping (UInt64, UInt64?) -> Void = { _, _ in },
    visit: (BytePath, UInt64?, Read) throws -> ZipReadError?
  ) throws {
    var done: UInt64 = 0
    guard isPipe else {
      let total = members.reduce(0) { $0 + $1.size }
      for member in members {
        _ = try visit(BytePath(member.name), member.size) { body in
          try self.read(member) { piece in
            try body(piece)
            done += UInt64(piece.count)
            progress(done, total)
          }
          return member.crc32
        }
      }
      return
    }
    var stream = ZipStream(descriptor, isGivenUp: isInterrupted)
    while let name = try stream.next().map({ BytePath($0) }) {
      guard !name.hasSuffix("/") else {
        folders.append(BytePath(try stream.read { _ in }.name))
        continue
      }
      let fault = try visit(name, nil) { body in
        try self.keeping(name) { keep in
          try stream.read { piece in
            keep(piece)
            try self.pass(piece, to: body)
            done += UInt64(piece.count)
            progress(done, nil)
          }.crc32
        }
      }
      // Where the next one begins is not known.
      if let fault { throw fault }
    }
  }

  private func pass(_ piece: [UInt8], to body: ([UInt8]) throws -> Void) throws {
    if isInterrupted() { throw RestoreError.interrupted }
    try body(piece)
  }

  /// Keeps what is read of `MANIFEST.json` and `VERSION`, up to the most that is looked at.
  private func keeping<Result>(
    _ name: BytePath, _ read: (_ keep: ([UInt8]) -> Void) throws -> Result
  ) throws -> Result {
    let limit =
      switch name {
      case Self.manifestName: Manifest.maximumSize
      case Self.versionName: Manifest.maximumVersionSize
      default: 0
      }
    if name == Self.manifestName { manifest = .unreadable }
    var kept: [UInt8]? = []
    let result = try read { piece in
      if let count = kept?.count, count + piece.count <= limit { kept? += piece } else { kept = nil }
    }
    guard limit > 0, let kept else { return result }
    if name == Self.versionName { version = kept }
    if name == Self.manifestName, let readable = Manifest(kept) {
      manifest = .readable(ManifestComparison(readable))
    }
    return result
  }
}
