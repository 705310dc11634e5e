import Crypto
import Glibc
package import System

/// The histories of the last archives of each request, in one folder: `REQUEST.TAG`.
///
/// All of it blocks.
package struct Histories: Sendable {
  static let partialSuffix: BytePath = ".partial"
  private static let folderName: BytePath = "delta"
  /// So many files at the most, whatever their sizes: clients choose the requests.
  private static let maximumFileCount = 256
  /// Of an opaque tag: two numbers of 128 bits and a hyphen.
  private static let tagLength = 65

  private let path: BytePath
  /// How many are kept for each request.
  private let count: Int
  /// What all of them may take together, in bytes.
  private let budget: UInt64

  /// - Parameter stateDirectory: in which the folder is, or is to be.
  package init(in stateDirectory: String, count: Int, budget: UInt64) {
    path = BytePath(stateDirectory).appending(Self.folderName)
    self.count = count
    self.budget = budget
  }

  /// Removes what earlier processes left unfinished and what is too much.
  package func prepare() throws(SystemError) {
    guard !FileSystem.isMissing(path) else { return }
    let folder = try Directory(path: path)
    for name in try folder.names() where name.hasSuffix(Self.partialSuffix) { try folder.remove(name) }
    prune(folder)
  }

  /// Removes all of them, and the folder: none is to be kept.
  package static func remove(from stateDirectory: String) {
    guard let parent = try? Directory(path: stateDirectory), let folder = try? parent.directory(folderName)
    else { return }
    for name in (try? folder.names()) ?? [] { try? folder.remove(name) }
    try? parent.removeDirectory(folderName)
  }

  /// What tells a request from every other: of which data directory, and which of its databases.
  package static func request(dataDirectory: String, databases: [String]?) -> String {
    var hash = SHA256()
    for text in [dataDirectory] + (databases.map { Array(Set($0)).sorted() } ?? []) {
      hash.update(data: Array("\(text.utf8.count):\(text)".utf8))
    }
    return "\(databases == nil ? "all" : "db")-\(hash.finalize().prefix(16).hexadecimal)"
  }

  /// The newest history of a request among those of some archives.
  ///
  /// - Parameter tags: as clients send them.
  /// - Returns: nil if there is none that is whole.
  package func newest(of request: String, among tags: [String]) -> ArchiveHistory? {
    guard let folder = try? Directory(path: path) else { return nil }
    var found: [(tag: String, time: FileSystem.Time)] = []
    for tag in tags where Self.isTag(tag) {
      if let status = try? folder.status(Self.name(request, tag)), status.kind == .regular {
        found.append((tag, status.modifiedAt))
      }
    }
    for (tag, _) in found.sorted(by: { Self.isBefore($1.time, $0.time) }) {
      guard let file = try? folder.openFile(Self.name(request, tag), writing: false),
        let history = ArchiveHistory(file, tag: tag, request: request)
      else { continue }
      return history
    }
    return nil
  }

  /// Begins the history of an archive.
  ///
  /// - Parameters:
  ///   - contentSize: of the archive, in bytes.
  ///   - hash: that of the archive which it is compared with; nil for a new one.
  /// - Throws: `SystemError`; it is `isOverBudget` if the history would be larger than all may be together.
  package func begin(
    _ request: String, tag: String, contentSize: UInt64, _ hash: UnitHash?
  ) throws(SystemError) -> HistoryWriter {
    guard contentSize / UInt64(UnitHash.unitSize) * UInt64(UnitHash.digestSize) <= budget else {
      throw SystemError(call: "history", errno: EDQUOT)
    }
    if let parent = path.parent, FileSystem.isMissing(path) {
      // Another session may make it at the same time.
      _ = try? Directory(path: parent).makeDirectory(Self.folderName)
    }
    return try HistoryWriter(
      Directory(path: path), Self.name(request, tag), request: request, tag: tag, hash ?? .random())
  }

  /// Makes a history one that is found, and removes what is too much then.
  package func publish(_ writer: HistoryWriter) {
    if writer.publish(), let folder = try? Directory(path: path) { prune(folder) }
  }

  /// Removes the oldest of each request, and then the oldest of all.
  private func prune(_ folder: Directory) {
    var files: [(name: BytePath, request: [UInt8], size: UInt64, time: FileSystem.Time)] = []
    for name in (try? folder.names()) ?? [] where !name.hasSuffix(Self.partialSuffix) {
      guard let status = try? folder.status(name), status.kind == .regular else { continue }
      files.append(
        (name, Array(name.bytes.prefix { $0 != UInt8(ascii: ".") }), status.size, status.modifiedAt))
    }
    files.sort { Self.isBefore($1.time, $0.time) }
    var counts: [[UInt8]: Int] = [:]
    var (total, left): (UInt64, Int) = (0, 0)
    for file in files {
      counts[file.request, default: 0] += 1
      if counts[file.request, default: 0] <= count, total + file.size <= budget, left < Self.maximumFileCount
      {
        total += file.size
        left += 1
      } else {
        try? folder.remove(file.name)
      }
    }
  }

  private static func name(_ request: String, _ tag: String) -> BytePath { BytePath("\(request).\(tag)") }

  private static func isTag(_ tag: String) -> Bool {
    tag.utf8.count == tagLength && tag.utf8.allSatisfy("0123456789abcdef-".utf8.contains)
  }

  private static func isBefore(_ first: FileSystem.Time, _ second: FileSystem.Time) -> Bool {
    (first.seconds, first.nanoseconds) < (second.seconds, second.nanoseconds)
  }
}

extension SystemError {
  /// Whether a history would be larger than all may be together.
  package var isOverBudget: Bool { errno == EDQUOT }
}
