import Archive
import System

/// The directory that is restored into, held open from the first look to the last step.
final class RestoreTarget {
  /// The absolute path, without links: for SQLite and for people.
  let path: BytePath
  let directory: Directory
  /// The owner, group and mode that everything in it gets.
  let status: FileSystem.Status

  /// - Throws: `directory`.
  init(path: String) throws(RestoreError) {
    do {
      directory = try Directory(path: path)
      self.path = try FileSystem.canonical(BytePath(path))
      status = try directory.status()
    } catch {
      let hint =
        error.isMissing
        ? "; make it first, with the owner and the mode that the application wants: all in it gets them" : ""
      throw .directory(path: BytePath(path), detail: "\(error)\(hint)")
    }
  }

  /// A folder in the directory, through no link; nil if it is not there.
  ///
  /// - Parameter path: relative; empty for the directory itself.
  func folder(_ path: BytePath) throws(SystemError) -> Directory? {
    guard !path.isEmpty else { return directory }
    var folder = directory
    for name in path.components {
      guard try folder.status(name) != nil else { return nil }
      folder = try folder.directory(name)
    }
    return folder
  }

  /// The folder that something is in; nil if it is not there.
  func parent(of path: BytePath) throws(SystemError) -> Directory? { try folder(path.folder) }

  /// Makes folders that are not there yet, and gives one its owner and mode that a killed run has only made.
  func make(_ paths: [BytePath]) throws(SystemError) {
    for path in paths {
      guard let parent = try parent(of: path) else { continue }
      let folder: Directory
      if let found = try parent.status(path.name) {
        guard found.isAsMade else { continue }
        folder = try parent.directory(path.name)
      } else {
        folder = try parent.makeDirectory(path.name)
      }
      try folder.own(as: status)
      try parent.sync()
    }
  }

  /// Removes those folders that are empty.
  func removeFolders(_ paths: [BytePath]) {
    for path in paths.reversed() {
      try? parent(of: path)?.removeDirectory(path.name)
    }
  }
}

extension FileSystem.Status {
  /// Whether it is a directory as `Directory.makeDirectory` leaves it.
  fileprivate var isAsMade: Bool { kind == .directory && owner == FileSystem.user() && permissions == 0o700 }
}

extension BytePath {
  /// The folder that it is in; empty for the directory that paths are relative to.
  var folder: BytePath { parent ?? "" }
}
