import Foundation
import System
import TestSupport
import Zip

@testable import Archive
@testable import Restore

/// A backup of a few files whose manifest may lie.
struct TestBackup {
  /// In the order of the archive; the manifest comes last.
  var files: [(name: String, content: [UInt8])]
  var manifest: Manifest

  init(_ files: [(name: String, content: [UInt8])] = Self.usual) {
    self.files = files + [("VERSION", Array("1.2.3\n".utf8))]
    manifest = Manifest(
      generator: "sluice test", name: "test", appVersion: "1.2.3", created: "2026-11-28T03:15:02Z",
      snapshotSkewMilliseconds: 0, complete: true, entries: self.files.map(Self.entry), skipped: [])
  }

  static let usual: [(name: String, content: [UInt8])] = [
    ("a.txt", Array("one".utf8)), ("floor_plan/b.svg", Array("two".utf8)),
  ]

  /// What a true manifest says of a file.
  static func entry(_ name: String, _ content: [UInt8]) -> Manifest.Entry {
    var digest = EntryDigest()
    digest.append(content)
    let crc32 = DeflateEngine.crc32(content)
    return Manifest.Entry(
      path: name, kind: .file, size: UInt64(content.count),
      sha256: digest.content(crc32: crc32).sha256, crc32: crc32.hexadecimal,
      modified: "2026-11-28T03:15:02Z")
  }

  /// The archive's bytes.
  func bytes(withManifest: Bool = true) throws -> [UInt8] {
    let engine = DeflateEngine(.fast)
    var writer = ZipWriter()
    var bytes: [UInt8] = []
    for (name, content) in files + (withManifest ? [("MANIFEST.json", manifest.encoded())] : []) {
      try writer.begin(
        ZipEntry(name: name, modified: 0, permissions: 0o640, size: UInt64(content.count)), into: &bytes)
      let block = try engine.deflate(content, isLast: true)
      try writer.add(block)
      bytes += block.bytes
      _ = try writer.end(into: &bytes)
    }
    try writer.finish(into: &bytes)
    return bytes
  }
}

/// How a test hands an archive to a reader.
enum Way: CaseIterable {
  case file
  case pipe

  /// Lets a reader open an archive by a path: in a pipe, which has room for all of it, it ends there.
  @discardableResult
  func withPath<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
    switch self {
    case .file:
      let folder = try Folder()
      try folder.write("archive.zip", bytes)
      return try body("\(folder.path)/archive.zip")
    case .pipe:
      let pipe = Pipe()
      try pipe.fileHandleForWriting.write(contentsOf: bytes)
      try pipe.fileHandleForWriting.close()
      return try body("/proc/self/fd/\(pipe.fileHandleForReading.fileDescriptor)")
    }
  }
}
