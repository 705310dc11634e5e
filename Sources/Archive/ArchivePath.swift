package import System

/// A path in a data directory as people and shells write it, made into the path that the archive has.
package enum ArchivePath {
  /// Reads `floor_plan`, `floor_plan/`, `./floor_plan` and, for a directory `/var/lib/app`, `/var/lib/app/floor_plan`.
  ///
  /// - Parameter directory: the data directory, as given; an absolute path may have it so or as `realpath` resolves it.
  /// - Returns: nil for a path that leads elsewhere, or has empty names, `.` or `..` within.
  package static func relative(_ path: BytePath, in directory: BytePath) -> BytePath? {
    var rest = path
    if path.isAbsolute {
      guard let within = parents(directory).lazy.compactMap({ path.removing(prefix: $0) }).first else {
        return nil
      }
      rest = within
    }
    while let within = rest.removing(prefix: "./") { rest = within.droppingSlashes }
    rest = rest.trimmed
    return rest.isRelativeAndPlain ? rest : nil
  }

  /// What an absolute path in the directory begins with, a slash at the end.
  private static func parents(_ directory: BytePath) -> [BytePath] {
    [directory, try? FileSystem.canonical(directory)].compactMap { parent in
      guard let parent, parent.isAbsolute else { return nil }
      return parent.trimmed + "/"
    }
  }
}

extension BytePath {
  private static let slash = UInt8(ascii: "/")

  /// Without the slashes at its end.
  package var trimmed: BytePath {
    BytePath(Array(bytes.reversed().drop { $0 == Self.slash }.reversed()))
  }

  fileprivate var droppingSlashes: BytePath { BytePath(Array(bytes.drop { $0 == Self.slash })) }

  fileprivate func removing(prefix: BytePath) -> BytePath? {
    hasPrefix(prefix) ? BytePath(Array(bytes.dropFirst(prefix.bytes.count))) : nil
  }
}
