import Archive
import ArgumentParser
import EventLoop
import Glibc
import Restore
import SQLiteSnapshot
import Service
import System
package import Zip

/// The options that say which files a backup takes: the same for every command that looks at a data directory.
struct ContentArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp("The directory with the databases.", valueName: "dir"), completion: .directory)
  var data: String

  @Option(
    help: ArgumentHelp(
      "A file or folder in DIR to take too, beside floor_plan and floorplan; may be repeated.",
      valueName: "path"))
  var include: [String] = []

  @Option(
    help: ArgumentHelp(
      "The same for one that may be missing: then it is not named as skipped; may be repeated.",
      valueName: "path"))
  var includeIfPresent: [String] = []

  @Option(
    help: ArgumentHelp(
      "Leave out what matches a shell pattern: files, and folders with their content. It is matched against"
        + " the path in DIR and against its last name. The manifest lists what is excluded; may be repeated.",
      valueName: "pattern"))
  var exclude: [String] = []

  @Flag(
    help:
      "A backup without any database is complete. (default: it is incomplete, with the reason no-database)")
  var allowEmpty = false

  func validate() throws {
    guard !data.utf8.contains(0) else { throw ValidationError("--data: a path has no NUL") }
    _ = try includes()
    _ = try excludes()
  }

  /// The folders that the endpoint which Sluice replaces took, and all that is given.
  ///
  /// - Throws: a `ValidationError` that names the option.
  func includes() throws -> [ArchiveOptions.Include] {
    let given = try paths(include, "--include")
    let optional = try ["floor_plan", "floorplan"] + paths(includeIfPresent, "--include-if-present")
    return optional.map { ArchiveOptions.Include(path: $0, isRequired: false) }
      + given.map { ArchiveOptions.Include(path: $0, isRequired: true) }
  }

  private func paths(_ given: [String], _ option: String) throws -> [BytePath] {
    var paths: [BytePath] = []
    for path in given {
      guard let relative = ArchivePath.relative(BytePath(path), in: BytePath(data)) else {
        throw ValidationError("\(option) \(path): give a path inside the data directory, such as floor_plan")
      }
      guard !ArchiveOptions.reservedNames.contains(where: { BytePath($0) == relative }) else {
        throw ValidationError("\(option) \(path): the archive has an entry of its own by this name")
      }
      if !paths.contains(relative) { paths.append(relative) }
    }
    return paths
  }

  /// - Throws: a `ValidationError` that names the option.
  func excludes() throws -> [String] {
    try exclude.map { pattern in
      guard let relative = ArchivePath.relative(BytePath(pattern), in: BytePath(data)) else {
        throw ValidationError(
          "--exclude \(pattern): give a pattern of names inside the data directory, such as cache or '*.tmp'")
      }
      return relative.lossyString
    }
  }
}

/// The options that say what goes into an archive: the same for every command that makes one.
struct ArchiveArguments: ParsableArguments {
  static let defaultSpoolDirectory = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/var/tmp"

  @OptionGroup var content: ContentArguments

  @Option(
    help: ArgumentHelp(
      "The application's name, the beginning of the archive's file name. (default: the name of DIR)",
      valueName: "name"))
  var name: String?

  @Option(help: ArgumentHelp("The application's version, for the entry VERSION.", valueName: "version"))
  var appVersion = "dev"

  @Option(help: ArgumentHelp("How to compress the entries.", valueName: "level"))
  var compression: Compression = .default

  @Flag(help: "Make no archive if something would be missing from it.")
  var strict = false

  @Option(
    help: ArgumentHelp(
      "Memory for copies of databases that are not in WAL mode; larger ones go to the spool.",
      valueName: "size"))
  var memoryBudget = ByteCount.mebibytes(64)

  @Option(
    help: ArgumentHelp("Directory for copies that memory has no room for.", valueName: "dir"),
    completion: .directory)
  var spoolDirectory = defaultSpoolDirectory

  @Option(
    help: ArgumentHelp(
      "Room in the spool directory for what is left of databases in WAL mode when their client is too slow for the "
        + "limits below; then these databases are not held any more. 0 turns this off.", valueName: "size"))
  var detachBudget = ByteCount.gibibytes(64)

  @Option(
    help: ArgumentHelp("How long to wait for a locked database before it is skipped.", valueName: "time"))
  var busyTimeout = TimeSpan.seconds(5)

  @Option(
    help: ArgumentHelp("How long a backup may hold a snapshot before it is aborted.", valueName: "time"))
  var maxSnapshotAge = TimeSpan.seconds(3600)

  @Option(
    help: ArgumentHelp(
      "How far the WAL of a database may grow before the backup is aborted.", valueName: "size"
    ))
  var maxWalGrowth = ByteCount.mebibytes(1024)

  @Option(
    help: ArgumentHelp(
      "Abort the backup if a WAL grows and its file system has less free space than this, or less than the "
        + "WAL has grown by: a size, or a share such as 5%. 0 turns this off.", valueName: "size"))
  var minFree = FreeSpace.standard

  func validate() throws {
    if let name, !Self.isName(name) {
      throw ValidationError("--name \(name): give a name that can begin a file name, such as app")
    }
    guard !appVersion.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }), appVersion.utf8.count <= 1000 else {
      throw ValidationError("--app-version: give one line")
    }
    guard maxSnapshotAge.value > .zero else {
      throw ValidationError("--max-snapshot-age: give a time above 0, such as 1h")
    }
  }

  private static let longestName = 100

  /// Whether a text can begin a file name and stand in a header field as it is.
  private static func isName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= longestName && name.utf8.first != UInt8(ascii: ".")
      && name.utf8.allSatisfy(isNameByte)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    byte > 0x20 && byte < 0x7f && !"/\\\"%".utf8.contains(byte)
  }

  /// The data directory's own name, with `-` for what a name cannot have.
  private var directoryName: String {
    let path = BytePath(content.data)
    var name = path.trimmed.name
    if name == "." || name == ".." { name = (try? FileSystem.canonical(path))?.name ?? "" }
    let bytes = name.bytes.drop { $0 == UInt8(ascii: ".") }.prefix(Self.longestName)
      .map { Self.isNameByte($0) ? $0 : UInt8(ascii: "-") }
    return bytes.isEmpty ? "data" : String(decoding: bytes, as: UTF8.self)
  }

  /// The options, once the directories have been looked at.
  ///
  /// - Throws: a `Failure` that names the flag.
  func options() throws -> ArchiveOptions {
    let options = ArchiveOptions(
      dataDirectory: content.data, name: name ?? directoryName, appVersion: appVersion,
      generator: "sluice \(version)",
      includes: try content.includes(), excludes: try content.excludes(), allowsEmpty: content.allowEmpty,
      compression: compression, strict: strict,
      snapshots: Snapshot.Options(
        busyTimeout: busyTimeout.value, spoolDirectory: spoolDirectory),
      maximumSnapshotAge: maxSnapshotAge.value, maximumWALGrowth: maxWalGrowth.value,
      minimumFree: minFree.value)
    guard !content.data.isEmpty else {
      throw Failure(
        description: "--data: give the directory with the databases (under systemd: sluice setup)")
    }
    do { try options.checkDataDirectory() } catch { throw Failure(description: "--data: \(error)") }
    guard unsafe access(spoolDirectory, W_OK | X_OK) == 0 else {
      throw Failure(description: "--spool-directory \(spoolDirectory): no directory that can be written to")
    }
    return options
  }

  /// What copies of databases may take together.
  var memory: MemoryBudget { MemoryBudget(byteCount: memoryBudget.value) }

  /// - Throws: `SystemError` when there are no threads for compressing.
  func resources() throws -> ArchiveResources {
    ArchiveResources(
      compressors: try WorkerPool(named: "compressor"), memory: memory,
      detached: MemoryBudget(byteCount: detachBudget.value))
  }
}

extension Compression: ExpressibleByArgument {}
