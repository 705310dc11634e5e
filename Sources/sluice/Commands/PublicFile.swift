import Glibc
import System

/// A file of this program that other users' programs read, a web server or a collector.
enum PublicFile {
  /// Replaces it whole or not at all.
  static func replace(_ path: String, with content: [UInt8]) throws(SystemError) {
    let path = BytePath(path)
    try Directory(path: path.parent ?? ".").replace(path.name, with: content) { (file) throws(SystemError) in
      guard fchmod(file.rawValue, 0o644) == 0 else { throw SystemError(call: "fchmod", errno: errno) }
    }
  }
}
