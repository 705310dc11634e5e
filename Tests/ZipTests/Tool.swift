import Foundation
import Testing

/// The independent readers, and how they are run. One that is not installed fails the test that needs it.
struct Tool: Sendable, CustomTestStringConvertible {
  let testDescription: String
  private let command: [String]

  /// Python's `zipfile`: follows the central directory, checks every CRC.
  static let python = Tool(testDescription: "python", command: ["/usr/bin/python3", "-m", "zipfile", "-t"])
  static let unzip = Tool(testDescription: "unzip", command: ["/usr/bin/unzip", "-tqq"])
  static let sevenZip = Tool(testDescription: "7z", command: ["/usr/bin/7z", "t", "-bso0", "-bsp0"])
  /// libarchive on a pipe: it cannot seek, and so lives on the local headers and data descriptors.
  static let bsdtar = Tool(
    testDescription: "bsdtar", command: ["/bin/sh", "-c", "cat \"$0\" | /usr/bin/bsdtar -xOf - >/dev/null"])
  /// Java's `ZipInputStream`: reads local headers and data descriptors alone, and checks their sizes and CRCs. None where
  /// there is no Java, unless the tests must count.
  static let java: [Tool] = {
    let path = "/usr/bin/java"
    let isNeeded =
      ProcessInfo.processInfo.environment["CI"] == "true"
      || FileManager.default.isExecutableFile(atPath: path)
    let java = Tool(testDescription: "java", command: [path, "-Xshare:auto", "-XX:TieredStopAtLevel=1"])
    return isNeeded ? [java] : []
  }()

  static let readers = [python, unzip, sevenZip, bsdtar] + java

  /// Has the reader test the archive, and records an issue if it finds fault with it.
  func read(_ archive: TestArchive, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let complaint = try complaint(about: archive)
    #expect(complaint == nil, "\(testDescription)", sourceLocation: sourceLocation)
  }

  /// What the reader finds amiss with the archive.
  func complaint(about archive: TestArchive) throws -> String? {
    var command = command
    if testDescription == "java" {
      command.append(try archive.folder.write(Self.javaSource, to: "Read.java"))
    }
    let (status, output) = try Self.start(command + [archive.path], in: archive.folder)
    // Python prints what it finds amiss and yet succeeds.
    return status == 0 && !output.contains("corrupted") ? nil : "\(status): \(output)"
  }

  /// Runs a Python program and answers what it prints.
  static func python(
    _ source: String, _ arguments: [String], in folder: TemporaryFolder,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> String {
    try run(["/usr/bin/python3", "-c", source] + arguments, in: folder, sourceLocation: sourceLocation)
  }

  /// Runs a program, answers what it prints, and records an issue if it fails.
  static func run(
    _ command: [String], in folder: TemporaryFolder, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> String {
    let (status, output) = try start(command, in: folder)
    #expect(status == 0, "\(command[0]): \(output.suffix(2000))", sourceLocation: sourceLocation)
    return output
  }

  /// Runs a program far from UTC to its end.
  private static func start(
    _ command: [String], in folder: TemporaryFolder
  ) throws -> (status: Int32, output: String) {
    let outputPath = try folder.write("", to: "output-\(UInt64.random(in: 0 ... .max))")
    let output = try #require(FileHandle(forWritingAtPath: outputPath))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = Array(command.dropFirst())
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
    process.environment = ["PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "America/New_York"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = output
    try process.run()
    process.waitUntilExit()
    try output.close()
    let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: outputPath)), as: UTF8.self)
    return (process.terminationStatus, text)
  }

  private static let javaSource = """
    import java.io.*;
    import java.util.zip.*;

    class Read {
      public static void main(String[] arguments) throws IOException {
        byte[] buffer = new byte[1 << 18];
        try (var zip = new ZipInputStream(new BufferedInputStream(new FileInputStream(arguments[0]), 1 << 18))) {
          int count = 0;
          for (ZipEntry entry; (entry = zip.getNextEntry()) != null; count++) while (zip.read(buffer) > 0) {}
          if (count == 0) throw new IOException("no members");
        }
      }
    }
    """
}

/// A folder that goes when its owner does.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("zip-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file and answers its path.
  func write(_ text: String, to name: String) throws -> String { try write(Array(text.utf8), to: name) }

  /// Writes a file and answers its path.
  func write(_ bytes: [UInt8], to name: String) throws -> String {
    let url = URL(fileURLWithPath: path).appendingPathComponent(name)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
    return url.path
  }
}
