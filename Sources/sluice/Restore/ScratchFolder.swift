import System

/// A folder that only this user can enter, and all that is made in it, for as long as this lives.
struct ScratchFolder: ~Copyable {
  let path: BytePath

  /// - Throws: `SystemError` if nothing can be made there.
  init(in directory: String) throws(SystemError) {
    path = try FileSystem.makeTemporaryFolder(in: BytePath(directory), prefix: "sluice-drill-")
  }

  deinit {
    if let directory = try? Directory(path: path.lossyString) { Self.empty(directory) }
    FileSystem.removeDirectory(path)
  }

  /// Follows no link.
  private static func empty(_ directory: Directory) {
    for name in (try? directory.names()) ?? [] {
      guard let status = try? directory.status(name) else { continue }
      guard status.kind == .directory, let folder = try? directory.directory(name) else {
        try? directory.remove(name)
        continue
      }
      empty(folder)
      try? directory.removeDirectory(name)
    }
  }
}
