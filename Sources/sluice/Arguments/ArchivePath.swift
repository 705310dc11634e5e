import Glibc
import Service

/// A path in a data directory as people and shells write it, made into the path that the archive has.
enum ArchivePath {
  /// Reads `floor_plan`, `floor_plan/`, `./floor_plan` and, for a directory `/var/lib/app`, `/var/lib/app/floor_plan`.
  ///
  /// - Parameter directory: the data directory, as given; an absolute path may have it so or as `realpath` resolves it.
  /// - Returns: nil for a path that leads elsewhere, or has empty names, `.` or `..` within.
  static func relative(_ path: String, in directory: String) -> String? {
    var bytes = Array(path.utf8)
    if bytes.first == slash {
      guard
        let rest = parents(directory).lazy.compactMap({ parent in
          bytes.starts(with: parent) ? bytes.dropFirst(parent.count) : nil
        }).first
      else { return nil }
      bytes = Array(rest)
    }
    while bytes.starts(with: "./".utf8) { bytes = Array(bytes.dropFirst(2).drop { $0 == slash }) }
    while bytes.last == slash { bytes.removeLast() }
    let parts = bytes.split(separator: slash, omittingEmptySubsequences: false)
    guard !bytes.contains(0),
      !parts.contains(where: { [[], Array(".".utf8), Array("..".utf8)].contains(Array($0)) })
    else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static let slash = UInt8(ascii: "/")

  /// What an absolute path in the directory begins with, a slash at the end.
  private static func parents(_ directory: String) -> [[UInt8]] {
    var given = Array(directory.utf8)
    while given.count > 1, given.last == slash { given.removeLast() }
    return [given, resolved(directory)].compactMap { parent in
      guard let parent, parent.first == slash else { return nil }
      return parent.last == slash ? parent : parent + [slash]
    }
  }

  /// The absolute path without links, if there is such a directory. The corresponding C function is `realpath`.
  static func resolved(_ directory: String) -> [UInt8]? {
    guard let path = unsafe realpath(directory, nil) else { return nil }
    defer { unsafe free(path) }
    return unsafe Array(String(cString: path).utf8)
  }
}
