import Glibc
import System

/// A file of the system's settings, which is replaced whole or not at all.
enum SystemFile {
  /// More than any that is written here.
  private static let maximumSize = 65_536

  /// Its text; nil if there is none that can be read.
  static func text(of path: BytePath) -> String? {
    guard let path = path.string, let bytes = try? SmallFile.read(path, atMost: maximumSize) else {
      return nil
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Puts one in place.
  ///
  /// - Parameters:
  ///   - isSecret: whether only root may read it: then a folder that is made for it is root's alone, too.
  static func write(_ content: String, to path: BytePath, isSecret: Bool) throws(Failure) {
    do throws(SystemError) {
      guard let folderPath = path.parent else { fatalError("\(path) is in no folder") }
      let folder = try makeFolder(folderPath, isSecret: isSecret)
      let status = try folder.status()
      try folder.replace(path.name, with: Array(content.utf8)) { (file) throws(SystemError) in
        try file.own(as: status, permissions: isSecret ? 0o600 : 0o644)
      }
    } catch {
      throw Failure(description: "\(path) cannot be written: \(error)")
    }
  }

  /// The folder, which is made if it is not there, and the one that it is in.
  private static func makeFolder(_ path: BytePath, isSecret: Bool) throws(SystemError) -> Directory {
    if let made = try? Directory(path: path) { return made }
    guard let parent = path.parent, !parent.bytes.isEmpty else { return try Directory(path: path) }
    let outer = try makeFolder(parent, isSecret: false)
    if try outer.status(path.name) == nil {
      let made = try outer.makeDirectory(path.name)
      if !isSecret { try made.own(as: try outer.status()) }
    }
    return try Directory(path: path)
  }

  /// Removes one.
  static func remove(_ path: BytePath) throws(Failure) {
    do throws(SystemError) { try FileSystem.remove(path) } catch {
      guard error.isMissing else { throw Failure(description: "\(path) cannot be removed: \(error)") }
    }
  }
}
