public import ArgumentParser
import Backup
import EventLoop
import Glibc
import SQLiteSnapshot
public import Zip

/// The options that say what goes into an archive: the same for every command that makes one.
struct ArchiveArguments: ParsableArguments {
  static let defaultSpoolDirectory = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/var/tmp"

  @Option(
    help: ArgumentHelp("The directory with the databases.", valueName: "dir"), completion: .directory)
  var data: String

  @Option(
    help: ArgumentHelp(
      "The application's name, the first part of the archive's file name.", valueName: "name"))
  var name = "spaxel"

  @Option(help: ArgumentHelp("The application's version, for the entry VERSION.", valueName: "version"))
  var appVersion = "dev"

  @Option(
    help: ArgumentHelp(
      "A file or directory in DIR to take as well; may be repeated. (default: floor_plan, floorplan)",
      valueName: "path"))
  var include: [String] = []

  @Option(help: ArgumentHelp("How to compress the entries.", valueName: "level"))
  var compression: Compression = .default

  @Flag(help: "Refuse to make an archive when something would be missing from it.")
  var strict = false

  @Option(
    help: ArgumentHelp(
      "Memory for copies of databases that are not in WAL mode; larger ones go to the spool.",
      valueName: "size"))
  var memoryBudget = ByteCount.mebibytes(64)

  @Option(
    help: ArgumentHelp("Where copies go that memory has no room for.", valueName: "dir"),
    completion: .directory)
  var spoolDirectory = defaultSpoolDirectory

  @Option(
    help: ArgumentHelp("How long to wait for a locked database before it is skipped.", valueName: "time"))
  var busyTimeout = TimeSpan.seconds(5)

  @Option(
    help: ArgumentHelp("How long a snapshot may be held before the backup is broken off.", valueName: "time"))
  var maxSnapshotAge = TimeSpan.seconds(3600)

  @Option(
    help: ArgumentHelp(
      "How far the log of a database in WAL mode may grow before the backup is broken off.", valueName: "size"
    ))
  var maxWalGrowth = ByteCount.mebibytes(1024)

  func validate() throws {
    let isPlain = name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"/\\\"%".utf8.contains($0) }
    guard !name.isEmpty, name.utf8.count <= 100, isPlain, !name.hasPrefix(".") else {
      throw ValidationError("--name \(name): give a name that can begin a file name, such as spaxel")
    }
    guard !appVersion.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }), appVersion.utf8.count <= 1000 else {
      throw ValidationError("--app-version: give one line")
    }
    guard maxSnapshotAge.value > .zero else {
      throw ValidationError("--max-snapshot-age: give a time above 0, such as 1h")
    }
    for path in include {
      let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      guard !["VERSION", "MANIFEST.json"].contains(path) else {
        throw ValidationError("--include \(path): the archive has an entry of its own by this name")
      }
      guard !path.isEmpty, !path.utf8.contains(0),
        !parts.contains(where: { ["", ".", ".."].contains(String(decoding: $0, as: UTF8.self)) })
      else {
        throw ValidationError("--include \(path): give a path inside the data directory, such as floor_plan")
      }
    }
  }

  /// The options, once the directories have been looked at.
  ///
  /// - Throws: a `Failure` that names the flag.
  func options() throws -> ArchiveOptions {
    let includes =
      include.isEmpty
      ? ["floor_plan", "floorplan"].map { ArchiveOptions.Include(path: $0, isRequired: false) }
      : include.map { ArchiveOptions.Include(path: $0, isRequired: true) }
    let options = ArchiveOptions(
      dataDirectory: data, name: name, appVersion: appVersion, generator: "sluice \(version)",
      includes: includes, compression: compression, strict: strict,
      snapshots: Snapshot.Options(
        busyTimeout: busyTimeout.value, memory: MemoryBudget(byteCount: memoryBudget.value),
        spoolDirectory: spoolDirectory),
      maximumSnapshotAge: maxSnapshotAge.value, maximumLogGrowth: maxWalGrowth.value,
      compressors: try WorkerPool(named: "compressor"))
    guard !data.isEmpty else {
      throw Failure(
        description: "--data: give the directory with the databases (under systemd: sluice setup)")
    }
    do { try options.checkDataDirectory() } catch { throw Failure(description: "--data: \(error)") }
    guard unsafe access(spoolDirectory, W_OK | X_OK) == 0 else {
      throw Failure(description: "--spool-directory \(spoolDirectory): no directory that can be written to")
    }
    return options
  }
}

extension Compression: ExpressibleByArgument {}
