package import Foundation

/// A directory of a test's own, gone when the test is.
package final class Folder {
  package let url = FileManager.default.temporaryDirectory.appending(path: "sluice-test-\(UUID().uuidString)")

  package init() throws {
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  package var path: String { url.path(percentEncoded: false) }

  /// Writes a file, and the directories on the way to it.
  package func write(_ name: String, _ content: [UInt8] = Array("content".utf8)) throws {
    let file = url.appending(path: name)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(content).write(to: file)
  }

  package func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: url.appending(path: name).path, withDestinationPath: target)
  }
}
