import Archive
import System

/// The directory that is restored into, held open from the first look to the last step.
final class RestoreTarget {
  /// The absolute path, without links: for SQLite and for people.
  let path: String
  let directory: Directory
  /// The owner, group and mode that everything in it gets.
  let status: FileSystem.Status

  /// - Throws: `directory`.
  init(path: String) throws(RestoreError) {
    do {
      directory = try Directory(path: path)
      self.path = try FileSystem.canonical(path)
      status = try directory.status()
    } catch {
      let hint =
        error.isMissing
        ? "; make it first, with the owner and the mode that the application wants: all in it gets them" : ""
      throw .directory(path: path, detail: "\(error)\(hint)")
    }
  }

  /// A folder in the directory, through no link; nil if it is not there.
  ///
  /// - Parameter path: relative; empty for the directory itself.
  func folder(_ path: String) throws(SystemError) -> Directory? {
    var folder = directory
    for name in Self.parts(path) {
      guard try folder.status(name) != nil else { return nil }
      folder = try folder.directory(name)
    }
    return folder
  }

  /// Makes folders that are not there yet.
  func make(_ paths: [String]) throws(SystemError) {
    for path in paths {
      guard let name = Self.parts(path).last,
        let parent = try folder(Self.parts(path).dropLast().joined(separator: "/")),
        try parent.status(name) == nil
      else { continue }
      try parent.makeDirectory(name).own(as: status)
      try parent.sync()
    }
  }

  /// Removes those folders that are empty.
  func removeFolders(_ paths: [String]) {
    for path in paths.reversed() {
      guard let name = Self.parts(path).last,
        let parent = try? folder(Self.parts(path).dropLast().joined(separator: "/"))
      else { continue }
      try? parent.removeDirectory(name)
    }
  }

  static func parts(_ path: String) -> [String] {
    path.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
  }
}
