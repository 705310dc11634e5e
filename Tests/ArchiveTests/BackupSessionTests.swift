import System
import EventLoop
import Foundation
import TestSupport
import Testing
import Zip

@testable import Archive

struct BackupSessionTests {
  private let folder: Folder

  init() throws {
    folder = try Folder()
    RunningLoop.start()
  }

  private func archive(_ session: BackupSession) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let chunk = try await session.next() {
      for piece in chunk { bytes += piece }
    }
    return bytes
  }

  @Test(arguments: Compression.allCases)
  func `makes an archive that Python reads whole, of the announced length if any`(
    _ compression: Compression
  ) async throws {
    try folder.database("wal.db", journalMode: "wal", rows: 700)
    try folder.database("rollback.db", journalMode: "delete", rows: 700)
    try folder.write("empty.db", [])
    try folder.write("extra/plan.svg")
    let (session, preamble) = try await BackupSession.open(
      folder.options(compression: compression), folder.resources)
    let bytes = try await archive(session)
    #expect(preamble.archiveSize == (compression == .store ? UInt64(bytes.count) : nil))
    try folder.write("../\(folder.url.lastPathComponent).zip", bytes)
    let zip = folder.path + ".zip"
    defer { try? FileManager.default.removeItem(atPath: zip) }
    let names = try python(
      """
      import hashlib, json, sys, zipfile
      z = zipfile.ZipFile(sys.argv[1])
      assert z.testzip() is None
      manifest = json.loads(z.read("MANIFEST.json"))
      for entry in manifest["entries"]:
          assert hashlib.sha256(z.read(entry["path"])).hexdigest() == entry["sha256"]
          assert z.getinfo(entry["path"]).CRC == int(entry["crc32"], 16)
      print(*z.namelist())
      """, zip)
    #expect(names == "empty.db rollback.db wal.db extra/plan.svg VERSION MANIFEST.json\n")
  }

  @Test func `names what goes between the looking and the opening`() throws {
    for name in ["a.db", "b.db"] { try folder.database(name) }
    try folder.write("extra/file")
    let options = folder.options()
    let directory = try DataDirectory(folder.path, includes: options.includes, selection: nil)
    try FileManager.default.removeItem(atPath: folder.path + "/b.db")
    try FileManager.default.removeItem(atPath: folder.path + "/extra/file")
    let inventory = try Inventory(of: directory, options, folder.memory, now: 0)
    #expect(inventory.items.map(\.entry.name) == ["a.db", "VERSION"])
    #expect(inventory.skipped.map(\.path) == ["b.db", "extra/file"])
    #expect(inventory.skipped.map(\.reason) == ["missing", "missing"])
  }

  @Test(arguments: [0, 1, 2, 5, 100])
  func `a database that is released before it was read comes as it was`(_ chunkCount: Int) async throws {
    try folder.database("a.db", rows: 6000)
    try folder.database("b.db", rows: 6000)
    var options = folder.options(compression: .store)
    options.maximumWALGrowth = 200_000
    let (session, _) = try await BackupSession.open(options, folder.resources(detached: 1 << 30))
    let recorder = Recorder()
    let watch = {
      try await session.watchLimits(
        pause: { _ in true }, detached: { name, _ in recorder.names.append(name) })
    }
    var bytes: [UInt8] = []
    for _ in 0..<chunkCount {
      guard let chunk = try await session.next() else { break }
      for piece in chunk { bytes += piece }
    }
    try folder.execute("UPDATE t SET b = 1 WHERE rowid % 200 = 0", in: "b.db")
    try await watch()
    #expect(recorder.names == (chunkCount < 100 ? ["b.db"] : []))
    for name in ["a.db", "b.db"] { try folder.execute("UPDATE t SET b = 1 WHERE rowid % 200 = 1", in: name) }
    try await watch()
    #expect(recorder.names == (chunkCount < 100 ? ["b.db", "a.db"] : []))
    try folder.execute("UPDATE t SET b = 1; PRAGMA wal_checkpoint(TRUNCATE)", in: "b.db")
    try await watch()
    bytes += try await archive(session)
    try folder.write("../\(folder.url.lastPathComponent).zip", bytes)
    let zip = folder.path + ".zip"
    defer { try? FileManager.default.removeItem(atPath: zip) }
    let counts = try python(
      """
      import json, sqlite3, sys, zipfile
      z = zipfile.ZipFile(sys.argv[1])
      assert z.testzip() is None
      for entry in json.loads(z.read("MANIFEST.json"))["entries"]:
          if entry["kind"] == "database":
              c = sqlite3.connect(":memory:")
              bytes = bytearray(z.read(entry["path"]))
              bytes[18:20] = b"\\1\\1"
              c.deserialize(bytes)
              assert c.execute("PRAGMA integrity_check").fetchone() == ("ok",)
              print(c.execute("SELECT count(*) FROM t WHERE length(b) = 1000").fetchone()[0])
      """, zip)
    #expect(counts == "6000\n6000\n")
  }

  /// What a test has heard.
  private final class Recorder {
    var names: [String] = []
  }

  @Test func `reads no further than its window while no chunk is asked for`() async throws {
    try folder.database("big.db", rows: 20_000)
    let (session, preamble) = try await BackupSession.open(folder.options(), folder.resources)
    let window = UInt64(folder.resources.compressors.threadCount + 3) * UInt64(DeflateEngine.blockSize)
    #expect(preamble.contentSize > 2 * window)
    #expect(await session.bytesRead == 0)
    _ = try await session.next()
    #expect(await session.bytesRead <= window)
  }

  @Test func `ends with the reason for which it was closed`() async throws {
    try folder.database("a.db")
    let (session, _) = try await BackupSession.open(folder.options(), folder.resources)
    #expect(await session.close() == nil)
    await #expect { try await session.next() } throws: {
      if case BackupError.cancelled = $0 { true } else { false }
    }
  }

  @Test func `ends when its task is cancelled`() async throws {
    try folder.database("a.db")
    let (options, resources) = (folder.options(), folder.resources)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      _ = try await BackupSession.open(options, resources)
    }
    await #expect { try await task.value } throws: {
      if case BackupError.cancelled = $0 { true } else { false }
    }
  }

  @Test func `names what was skipped, and with strict refuses`() async throws {
    try folder.database("a.db")
    try folder.link("b.db", to: "a.db")
    let (_, preamble) = try await BackupSession.open(folder.options(), folder.resources)
    #expect(preamble.skipped.map(\.path) == ["b.db"])
    await #expect {
      try await BackupSession.open(folder.options(), folder.resources, BackupSession.Request(strict: true))
    } throws: {
      if case BackupError.incomplete(let skipped) = $0 { skipped == preamble.skipped } else { false }
    }
  }

  @Test func `lets a pin that is too old go, whether or not anyone asks for more`() async throws {
    try folder.database("a.db", rows: 20_000)
    var options = folder.options()
    options.maximumSnapshotAge = .zero
    let (session, _) = try await BackupSession.open(options, folder.resources)
    let isTooOld = { (error: any Error) in if case BackupError.snapshotTooOld = error { true } else { false }
    }
    await #expect { try await session.watchLimits { _ in false } } throws: { isTooOld($0) }
    await #expect { try await session.next() } throws: { isTooOld($0) }
  }

  private func open(
    keepsRewindable: Bool = true, _ compression: Compression = .store
  ) async throws -> BackupSession {
    var request = BackupSession.Request(compression: compression)
    request.keepsRewindable = keepsRewindable
    return try await BackupSession.open(folder.options(), folder.resources, request).session
  }

  @Test(arguments: [0, 1, 2, 7], [Compression.store, .fast, .default])
  func `makes the same bytes when it is rewound`(_ chunks: Int, _ compression: Compression) async throws {
    try folder.database("a.db", journalMode: "wal", rows: 2500)
    try folder.database("b.db", journalMode: "delete", rows: 2500)
    try folder.write("empty.db", [])
    let session = try await open(keepsRewindable: true, compression)
    var begun: [UInt8] = []
    for _ in 0..<chunks { begun += (try await session.next() ?? []).joined() }
    for _ in 0..<2 {
      #expect(await session.rewind())
      // And again, before it has come as far.
      #expect(try await session.next() != nil)
      #expect(await session.rewind())
      try folder.execute("INSERT INTO t VALUES ('new')", in: "a.db")
    }
    let whole = try await archive(session)
    #expect(whole.starts(with: begun))
    if compression == .store {
      #expect(begun.count >= max(0, chunks - 1) << 19 && whole.count > 8 << 19)
    }
  }

  @Test func `does not rewind what it does not hold`() async throws {
    try folder.database("a.db", rows: 5000)
    let session = try await open(keepsRewindable: false)
    let first = try await session.next()
    #expect(await !session.rewind())
    #expect(try await session.next() != first)
  }

  @Test func `does not rewind when a file was written to since it was read`() async throws {
    try folder.write("extra/a", Array(repeating: 1, count: 1 << 20))
    let session = try await open()
    _ = try await session.next()
    #expect(await session.canRewind)
    try overwrite("extra/a", at: 0)
    #expect(await !session.canRewind)
    #expect(await !session.rewind())
  }

  @Test(arguments: [0, 3]) func `makes the same bytes again when it is rewound`(_ chunks: Int) async throws {
    try folder.write("extra/a", Array(repeating: 1, count: 8 << 20))
    let session = try await open()
    for _ in 0..<12 { _ = try await session.next() }
    #expect(await session.rewind())
    for _ in 0..<chunks { _ = try await session.next() }
    // Behind what is read ahead, and before what was made.
    try overwrite("extra/a", at: 5 << 20)
    await #expect { try await archive(session) } throws: {
      if case BackupError.changed("extra/a") = $0 { true } else { false }
    }
  }

  private func overwrite(_ name: String, at offset: UInt64) throws {
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: "\(folder.path)/\(name)"))
    try file.seek(toOffset: offset)
    try file.write(contentsOf: [9])
    try file.close()
  }

  @Test func `lets go of what was read before it gives up`() async throws {
    try folder.database("a.db", rows: 20_000)
    try folder.write("extra/b", Array(repeating: 2, count: 8 << 20))
    var options = folder.options()
    options.maximumSnapshotAge = .zero
    var request = BackupSession.Request(compression: .store)
    request.keepsRewindable = true
    let (session, preamble) = try await BackupSession.open(options, folder.resources, request)
    while await session.bytesRead < preamble.contentSize - 8 << 20 { _ = try await session.next() }
    #expect(await session.canRewind)
    try await session.watchLimits { _ in false }
    #expect(await !session.rewind())
    #expect(try await archive(session).count > 6 << 20)
  }

  /// Runs a Python program with one argument and answers what it prints.
  private func python(_ program: String, _ argument: String) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
    process.arguments = ["-c", program, argument]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return text
  }
}
