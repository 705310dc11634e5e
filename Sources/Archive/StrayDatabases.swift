import SQLiteSnapshot
import System

/// Databases in a data directory that no backup looks at, since the folder that they lie in is not included.
package struct StrayDatabases: Encodable, Sendable {
  /// Folders within the data directory that are searched.
  package static let maximumDepth = 3
  /// Names looked at: a directory of more is searched in part.
  private static let maximumNames = 100_000

  /// Paths in the data directory of what begins as SQLite's databases do, or has a name that is customary for a database.
  package private(set) var found: [String] = []
  /// Paths of folders and files that could not be looked at.
  package private(set) var unreadable: [String] = []
  /// Whether every name was looked at, as deep as is searched.
  package private(set) var isWhole = true

  private let covered: Set<BytePath>
  private let exclusion: Exclusion
  private var namesLeft = Self.maximumNames

  enum CodingKeys: String, CodingKey {
    case found, unreadable
    case isWhole = "is_whole"
  }

  /// - Parameters:
  ///   - path: the data directory.
  ///   - covered: the paths in it that a backup takes, enters, skips or excludes.
  ///   - exclusion: what is not searched either.
  /// - Throws: `dataDirectory`.
  init(in path: String, except covered: Set<BytePath>, _ exclusion: Exclusion) throws(BackupError) {
    self.covered = covered
    self.exclusion = exclusion
    do { try search(try Directory(path: path), "", depth: 0) } catch {
      throw .dataDirectory(path: path, detail: error.description)
    }
  }

  private mutating func search(
    _ directory: Directory, _ parent: BytePath, depth: Int
  ) throws(SystemError) {
    let names = try FileSystem.names(in: directory.path, limit: namesLeft)
    namesLeft -= names.count
    if namesLeft == 0 { isWhole = false }
    for name in names.sorted() {
      let path = parent.appending(name)
      guard !covered.contains(path), !exclusion.matches(path), !Exclusion.isLeftover(path) else { continue }
      do throws(SystemError) {
        let status = try FileSystem.status(directory.path(of: name))
        switch status.kind {
        case .directory where depth < Self.maximumDepth:
          try search(try directory.directory(name), path, depth: depth + 1)
        // Directly in the data directory a backup has looked already.
        case .regular where depth > 0 && status.size > 0: consider(path, in: directory)
        default: break
        }
      } catch {
        if !error.isMissing { unreadable.append(path.lossyString) }
      }
    }
  }

  private mutating func consider(_ path: BytePath, in directory: Directory) {
    // A `-shm` must not be opened, and a WAL or a journal is no database.
    guard DatabaseNames.database(ofCompanion: path) == nil else { return }
    if DatabaseNames.isCustomary(path) { return found.append(path.lossyString) }
    do throws(SQLiteError) {
      if try PlainFile.isDatabase(directory.path(of: path.name)) { found.append(path.lossyString) }
    } catch {
      unreadable.append(path.lossyString)
    }
  }
}
