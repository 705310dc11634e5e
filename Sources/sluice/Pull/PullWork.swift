import Glibc
import Restore
import Service
import System

/// The folder of one pull, in the directory that keeps the backups: what is in it was not verified yet.
final class PullWork {
  private static let prefix: BytePath = ".sluice-pull."
  /// In seconds. A younger one may be another pull's.
  private static let leftoverAge: Int64 = 86_400

  let path: String
  /// Locked: so another pull sees that this one still runs.
  private let folder: Directory

  /// - Throws: `SystemError` if nothing can be written there.
  init(in directory: String) throws(SystemError) {
    path = try FileSystem.makeTemporaryFolder(in: BytePath(directory), prefix: Self.prefix).lossyString
    folder = try Directory(path: path)
    _ = try? folder.lock()
  }

  /// Where a file of it is.
  func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Removes a file of it, if there is one.
  func remove(_ name: String) { try? FileSystem.remove(BytePath(file(name))) }

  /// How many bytes a file has; 0 if there is none.
  func size(_ name: String) -> UInt64 { (try? FileSystem.status(file(name)).size) ?? 0 }

  /// A new and empty file.
  func makeFile(_ name: String) throws(SystemError) -> Descriptor {
    remove(name)
    return try FileSystem.makeFile(BytePath(file(name)))
  }

  /// The beginning of a file; nothing if there is none.
  func beginning(of name: String, atMost limit: Int = 1 << 20) -> [UInt8] {
    guard let file = try? FileSystem.openFile(BytePath(file(name))) else { return [] }
    return (try? file.read(atMost: limit)) ?? []
  }

  /// The lines of a text.
  func lines(of name: String) -> [String] {
    beginning(of: name).split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
  }

  func removeAll() { Self.remove(BytePath(path)) }

  /// Removes what pulls have left that were killed more than a day ago; where the file system has no locks, also what is that old.
  static func removeLeftovers(in directory: String) {
    let names = (try? FileSystem.names(in: directory, limit: BackupSeries.maximumNames)) ?? []
    for name in names where name.hasPrefix(prefix) {
      let path = BytePath(directory).appending(name)
      guard let status = try? FileSystem.status(path), status.kind == .directory,
        status.modifiedAt.seconds < FileSystem.now() / 1_000_000_000 - leftoverAge,
        let folder = try? Directory(path: path.lossyString), (try? folder.lock()) ?? true
      else { continue }
      remove(path)
    }
  }

  private static func remove(_ path: BytePath) {
    for name in (try? FileSystem.names(in: path, limit: 100)) ?? [] {
      try? FileSystem.remove(path.appending(name))
    }
    FileSystem.removeDirectory(path)
  }
}
