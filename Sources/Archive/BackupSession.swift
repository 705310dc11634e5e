import Crypto
import Delta
import SQLiteSnapshot
package import System
import Zip

/// One backup under way: it holds the snapshots and makes the archive's bytes, each chunk when it is asked for.
///
/// Files are read on the session's own thread. Blocks are compressed by threads that all sessions share, a few ahead of
/// the one that is asked for and never more, so a client that stops reading stops everything.
package actor BackupSession {
  private nonisolated let worker: WorkerThread
  let options: ArchiveOptions
  let resources: ArchiveResources
  let begun = ContinuousClock.now
  /// Nanoseconds since 1970.
  private let created = FileSystem.now()
  private let keepsRewindable: Bool
  let maximumHeldWALGrowth: UInt64?
  var wasReadBeingCheckpointed = false
  private(set) var failure: BackupError?
  /// Nil until every snapshot has been taken.
  private(set) var maker: ArchiveMaker?

  private var hashesArchive: Bool
  /// Of the archive as far as it has been made, if the request asked for it; nil at its beginning.
  private var archiveHash: Task<SHA256, Never>?
  /// The same of the delta.
  private var deltaHash: Task<SHA256, Never>?
  private var delta: Delta?
  /// What becomes the history of this archive once the client has it.
  private var history: HistoryWriter?
  /// Why there will be none.
  var historyFailure: SystemError?

  /// The session's thread.
  package nonisolated var unownedExecutor: UnownedSerialExecutor {
    unsafe worker.asUnownedSerialExecutor()
  }

  // MARK: beginning and end

  /// Takes every snapshot and opens every file.
  ///
  /// - Throws: every case of `BackupError` that concerns the directory and the request; `incomplete` if
  ///   something had to be skipped and the options are strict.
  package static func open(
    _ options: ArchiveOptions, _ resources: ArchiveResources, _ request: Request = Request()
  ) async throws(BackupError) -> (session: BackupSession, preamble: Preamble) {
    let worker: WorkerThread
    do { worker = try WorkerThread(named: "backup") } catch { throw .system("\(error)") }
    var options = options
    options.compression = request.compression ?? options.compression
    options.strict = request.strict ?? options.strict
    let session = BackupSession(worker, options, resources, request)
    return (session, try await session.begin(request))
  }

  private init(
    _ worker: WorkerThread, _ options: ArchiveOptions, _ resources: ArchiveResources, _ request: Request
  ) {
    self.worker = worker
    self.options = options
    self.resources = resources
    hashesArchive = request.digest
    keepsRewindable = request.keepsRewindable
    maximumHeldWALGrowth = request.maximumHeldWALGrowth
  }

  // No job can come any more: every job keeps the session alive.
  deinit { worker.stop() }

  private func begin(_ request: Request) throws(BackupError) -> Preamble {
    do throws(BackupError) {
      let directory = try DataDirectory(
        options.dataDirectory, includes: options.includes, excludes: options.excludes,
        selection: request.databases)
      let inventory = try Inventory(
        of: directory, options, resources.memory, now: created, needsContent: request.needsContent)
      guard inventory.skipped.isEmpty || !options.strict else {
        throw BackupError.incomplete(inventory.skipped)
      }
      // Not before: what is copied is locked until then.
      WorkerThread.yieldToOthers()
      let manifest = Manifest(
        generator: options.generator, name: options.name, appVersion: options.appVersion,
        created: Timestamp(nanoseconds: created).milliseconds,
        snapshotSkewMilliseconds: Double(inventory.skewNanoseconds / 1000) / 1000,
        complete: inventory.skipped.isEmpty, entries: [], skipped: inventory.skipped,
        excluded: directory.excluded.map(\.lossyString))
      try ReaderLimits.check(inventory.items, manifest)
      let modified = created / 1_000_000_000
      let state = try state(of: directory, inventory)
      let id = StateTag.unique()
      let archiveSize =
        options.compression == .store
        ? try ArchiveMaker.storedSize(of: inventory.items, manifest, modified: modified) : nil
      let base = try base(for: request, state, inventory)
      history = begin("\(state)-\(id)", archiveSize, base, request)
      maker = ArchiveMaker(
        options.compression, resources.compressors, inventory.items, manifest, base?.hash ?? history?.hash,
        ArchiveOutput(
          history, base.map { DeltaMaker(from: $0, isGzipped: request.delta?.isGzipped ?? false) },
          needsArchive: request.delta?.digest ?? false),
        modified: modified, isRewindable: keepsRewindable)
      if let base, let asked = request.delta {
        delta = Delta(base: base.tag, isGzipped: asked.isGzipped)
        hashesArchive = asked.digest
      }
      return Preamble(
        fileName: "\(options.name)-backup-\(Timestamp(nanoseconds: created).date).zip",
        timedFileName: "\(options.name)-backup-\(Timestamp(nanoseconds: created).inFileNames)"
          + "\(manifest.complete ? "" : "-incomplete").zip",
        archiveSize: archiveSize, contentSize: inventory.items.reduce(0) { $0 + $1.entry.size },
        databases: inventory.items.filter(\.isDatabase).map(\.entry.name),
        snapshotSkewMilliseconds: manifest.snapshotSkewMilliseconds, skipped: inventory.skipped,
        state: state, id: id, delta: delta)
    } catch {
      throw fail(error)
    }
  }

  /// All that shapes the archive but the clock: that is, when it was made and the snapshots were taken.
  private func state(of directory: DataDirectory, _ inventory: Inventory) throws(BackupError) -> String {
    var state = StateTag(inspectedAt: directory.inspectedAt)
    for text in [options.generator, options.name, options.appVersion, options.compression.rawValue] {
      state.add(text)
    }
    // The same content in another zip's words is another archive.
    state.add(DeflateEngine.name)
    // And so is the same content at other places.
    if let alignment = options.compression.alignment { state.add("aligned to \(alignment)") }
    for item in inventory.items where item.status != nil { try state.add(item) }
    for skipped in inventory.skipped {
      for text in [skipped.path, skipped.reason, skipped.detail] { state.add(text) }
    }
    for path in directory.excluded { state.add(path.lossyString) }
    return state.text
  }

  /// Releases the snapshots and the files at once; `next` throws from now on.
  ///
  /// - Returns: what had ended the session before, if anything had.
  @discardableResult
  package func close() -> BackupError? {
    defer { _ = fail(.cancelled) }
    return failure
  }

  /// Keeps the history of the archive: the client has it. To be called after the last byte.
  ///
  /// - Returns: why that failed, if it did.
  package func publishHistory() -> SystemError? {
    guard let history else { return historyFailure }
    resources.histories?.publish(history)
    self.history = nil
    return history.failure
  }

  /// Drops the history of the archive, if it has not been kept: the client has not got the archive.
  package func discardHistory() {
    history?.discard()
    history = nil
  }

  /// Ends the session for a reason, which is kept if it is the first.
  func fail(_ error: BackupError) -> BackupError {
    failure = failure ?? error
    maker?.abandon()
    return failure ?? error
  }

  // MARK: the archive

  /// The next bytes of the archive, in pieces; nil after the last. They are made now, and no further ones until the next
  /// call, but for the blocks of the window.
  ///
  /// - Throws: `reading`, `changed`, `snapshotTooOld`, `walGrewTooMuch`, `spaceLow`, `zip`, `cancelled`. The archive is no archive
  ///   then, and every later call throws the same.
  package func next() async throws(BackupError) -> [[UInt8]]? {
    if let failure { throw failure }
    do throws(BackupError) {
      guard let chunk = try await maker?.next() else { return nil }
      if hashesArchive {
        // No more than one chunk is behind.
        _ = await archiveHash?.value
        archiveHash = resources.compressors.hashing(chunk.archive, after: archiveHash)
        if delta != nil {
          deltaHash = resources.compressors.hashing(chunk.content, after: deltaHash)
        }
      }
      return chunk.content
    } catch {
      throw fail(error)
    }
  }

  /// The SHA-256 of the archive, once `next` has returned nil; nil if the request did not ask for it.
  package var digest: [UInt8]? {
    get async {
      guard let hash = await archiveHash?.value else { return nil }
      return Array(hash.finalize())
    }
  }

  /// The SHA-256 of the delta, likewise; nil if `next` has returned the archive itself.
  package var deltaDigest: [UInt8]? {
    get async {
      guard let hash = await deltaHash?.value else { return nil }
      return Array(hash.finalize())
    }
  }

  /// The databases whose WALs were left, when they were released, with rows in them that their files lack, and that no other
  /// process had open.
  package var leftWALs: [String] { maker?.leftWALs ?? [] }

  /// Uncompressed bytes that have gone in.
  package var bytesRead: UInt64 { maker?.bytesRead ?? 0 }

  /// Whether `rewind` is possible: the request said so, no limit has been passed that concerns what was read, and no
  /// plain file of that was written to since.
  package var canRewind: Bool {
    guard failure == nil, let maker else { return false }
    return maker.isRewindable && !maker.hasReadWhatChanged
  }

  /// Goes back to the archive's first byte: `next` makes the same ones again, of the same snapshots. It throws `changed` before
  /// it would return others, since a plain file may be written to at any time.
  ///
  /// - Returns: whether that could be done; if not, nothing has.
  package func rewind() -> Bool {
    guard canRewind, let begun = maker else { return false }
    maker = ArchiveMaker(rewinding: begun)
    archiveHash = nil
    deltaHash = nil
    return true
  }
}
