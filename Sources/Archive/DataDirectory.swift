import SQLiteSnapshot
import System

/// What a data directory holds that an archive should have: databases and files, and what is neither.
///
/// Its names are listed first (`DataDirectory+Listing`), then the databases are found among the files
/// (`DataDirectory+Classification`).
struct DataDirectory {
  /// Names read. Every file is held open from before the first byte to the end, so that what is deleted or
  /// replaced meanwhile is still whole in the archive.
  static let maximumFiles = 10_000
  /// Names read of the data directory itself, most of which may be of no interest.
  private static let maximumNames = 1_000_000
  /// Directories within included directories; deeper ones are a mistake or a trap.
  static let maximumDepth = 32

  let root: Directory
  /// Before the first file was inspected: nanoseconds since 1970.
  let inspectedAt = FileSystem.now()
  var databases: [Candidate] = []
  var files: [Candidate] = []
  var skipped: [Skipped] = []
  /// Files directly in the data directory that are taken if they turn out to be databases, and only then.
  var unknown: [Candidate] = []
  /// The same of those whose names no entry can have. If one is a database, or may be one, it is skipped.
  var unnameable: [(name: BytePath, status: FileSystem.Status)] = []
  /// Whether one of the files that are skipped is known to be a database.
  var skipsDatabase = false
  /// What an exclusion matched. A folder stands for all in it.
  var excluded: [BytePath] = []
  let exclusion: Exclusion
  /// The paths that are included by name.
  let explicit: Set<BytePath>
  /// Whether only some databases were asked for.
  let isSelection: Bool
  private var namesSeen = 0
  /// What is in already: includes may overlap.
  var taken: Set<BytePath> = []

  /// Looks through a directory: for the databases directly in it, which are those with a customary name and those that
  /// begin as SQLite's do, and for the included paths. With `selection`, for the databases named there and nothing else.
  ///
  /// - Throws: `dataDirectory`, `invalidName`, `unknownDatabase`, `tooManyFiles`.
  init(
    _ path: String, includes: [ArchiveOptions.Include], excludes: [String] = [], selection: [String]?
  ) throws(BackupError) {
    exclusion = Exclusion(excludes)
    explicit = Set(includes.map(\.path))
    isSelection = selection != nil
    let names: [BytePath]
    do {
      root = try Directory(path: path)
      names = try FileSystem.names(in: root.path, limit: Self.maximumNames)
    } catch {
      throw .dataDirectory(path: path, detail: error.description)
    }
    guard names.count < Self.maximumNames else { throw .tooManyFiles(limit: Self.maximumNames) }
    try count(names.filter(DatabaseNames.isCustomary))
    for include in includes { try add(include) }
    for name in names.sorted() { try addDirect(name) }
    try classify()
    refuseLinkedDatabases()
    databases.sort { $0.path < $1.path }
    if let selection { try select(selection.map { BytePath($0) }) }
  }

  /// Keeps the databases of these names, and what is to be said of them.
  private mutating func select(_ selection: [BytePath]) throws(BackupError) {
    let selected = Set(selection)
    let known = Set(databases.map(\.path)).union(skipped.map { BytePath($0.path) })
    for name in selection {
      guard name.isRelativeAndPlain else { throw .invalidName(name.lossyString) }
      guard known.contains(name) else { throw .unknownDatabase(name.lossyString) }
    }
    databases.removeAll { !selected.contains($0.path) }
    skipped.removeAll { !selected.contains(BytePath($0.path)) }
    files = []
    excluded = []
  }

  /// Whether there is a database among what was found, or something that is skipped in the place of one.
  var hasDatabase: Bool {
    databases.contains { candidate in
      candidate.mayBeDatabase || PlainFiles.log(of: candidate) != nil
    } || skipsDatabase || skipped.contains { DatabaseNames.isCustomary(BytePath($0.path)) }
  }

  /// Whether a file directly in a directory has a database's name and first bytes: of most directories that is soon said, while
  /// all others would have to be opened.
  ///
  /// - Throws: `dataDirectory`.
  static func hasDatabaseByName(_ path: String, excludes: [String]) throws(BackupError) -> Bool {
    let exclusion = Exclusion(excludes)
    do throws(SystemError) {
      let root = try Directory(path: path)
      let names = try FileSystem.names(in: root.path, limit: maximumNames)
      return names.contains { name in
        let file = root.path(of: name)
        guard DatabaseNames.isCustomary(name), !exclusion.matches(name),
          let status = try? FileSystem.status(file), status.kind == .regular, status.linkCount == 1
        else { return false }
        return (try? PlainFile.isDatabase(file)) ?? false
      }
    } catch {
      throw .dataDirectory(path: path, detail: error.description)
    }
  }

  mutating func count(_ names: [BytePath]) throws(BackupError) {
    namesSeen += names.count
    guard namesSeen <= Self.maximumFiles else { throw .tooManyFiles(limit: Self.maximumFiles) }
  }

  mutating func skip(_ path: BytePath, _ reason: SkipReason, _ detail: String) {
    skipped.append(Skipped(path: path.lossyString, reason: reason.rawValue, detail: detail))
  }
}
