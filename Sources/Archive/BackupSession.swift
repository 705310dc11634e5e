import Crypto
package import EventLoop
import SQLiteSnapshot
import System
import Zip

/// One backup under way: it holds the snapshots and makes the archive's bytes, each chunk when it is asked for.
///
/// Files are read on the session's own thread. Blocks are compressed by threads that all sessions share, a few ahead of
/// the one that is asked for and never more, so a client that stops reading stops everything.
package actor BackupSession {
  /// How often the limits of held snapshots are looked at while the client takes nothing.
  private static let limitInterval = Duration.seconds(1)
  /// The same while a log grows, which may fill its file system.
  private static let growthInterval = Duration.milliseconds(250)

  private nonisolated let worker: WorkerThread
  private let options: ArchiveOptions
  private let begun = ContinuousClock.now
  /// Nanoseconds since 1970.
  private let created = FileSystem.now()
  private let mayBeginAnew: Bool
  private let heldLogGrowth: UInt64?
  private var wasReadBeingCheckpointed = false
  private var failure: BackupError?
  /// Nil until every snapshot has been taken.
  private var maker: ArchiveMaker?

  private let hashesArchive: Bool
  /// Of the archive as far as it has been made, if that is wanted; nil at its beginning.
  private var archiveHash: Task<SHA256, Never>?

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
    _ options: ArchiveOptions, _ request: Request = Request()
  ) async throws(BackupError) -> (session: BackupSession, preamble: Preamble) {
    let worker: WorkerThread
    do { worker = try WorkerThread(named: "backup") } catch { throw .system("\(error)") }
    var options = options
    options.compression = request.compression ?? options.compression
    options.strict = request.strict ?? options.strict
    let session = BackupSession(worker, options, request)
    return (session, try await session.begin(request))
  }

  private init(_ worker: WorkerThread, _ options: ArchiveOptions, _ request: Request) {
    self.worker = worker
    self.options = options
    hashesArchive = request.digest
    mayBeginAnew = request.mayBeginAnew
    heldLogGrowth = request.heldLogGrowth
  }

  // Nothing can be asked of the thread any more: every job keeps the session alive.
  deinit { worker.stop() }

  private func begin(_ request: Request) throws(BackupError) -> Preamble {
    do throws(BackupError) {
      let directory = try DataDirectory(
        options.dataDirectory, includes: options.includes, excludes: options.excludes,
        selection: request.databases)
      let inventory = try Inventory(
        of: directory, options, now: created, needsContent: request.needsContent)
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
        excluded: directory.excluded)
      try ReaderLimits.check(inventory.items, manifest)
      let maker = ArchiveMaker(
        options, inventory.items, manifest, modified: created / 1_000_000_000, holdsWhatWasRead: mayBeginAnew)
      self.maker = maker
      return Preamble(
        fileName: "\(options.name)-backup-\(Timestamp(nanoseconds: created).date).zip",
        timedFileName: "\(options.name)-backup-\(Timestamp(nanoseconds: created).inFileNames).zip",
        archiveSize: try maker.archiveSize(), contentSize: inventory.items.reduce(0) { $0 + $1.entry.size },
        databaseCount: inventory.items.count { $0.isDatabase },
        snapshotSkewMilliseconds: manifest.snapshotSkewMilliseconds, skipped: inventory.skipped,
        state: try state(of: directory, inventory), id: StateTag.unique())
    } catch {
      throw fail(error)
    }
  }

  /// All that shapes the archive but the clock: that is, when it was made and the snapshots were taken.
  private func state(of directory: DataDirectory, _ inventory: Inventory) throws(BackupError) -> String {
    var state = StateTag(lookedAt: directory.lookedAt)
    for text in [options.generator, options.name, options.appVersion, options.compression.rawValue] {
      state.add(text)
    }
    // The same content in another zip's words is another archive.
    state.add(DeflateEngine.name)
    for item in inventory.items where item.status != nil { try state.add(item) }
    for skipped in inventory.skipped {
      for text in [skipped.path, skipped.reason, skipped.detail] { state.add(text) }
    }
    for path in directory.excluded { state.add(path) }
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

  /// Ends the session for a reason, which is kept if it is the first.
  private func fail(_ error: BackupError) -> BackupError {
    failure = failure ?? error
    maker?.abandon()
    return failure ?? error
  }

  // MARK: limits

  /// What holding the snapshots costs the application.
  package struct Hold: Sendable {
    /// Since when the first of them has been held.
    package let since: ContinuousClock.Instant
    /// By how many bytes the logs have grown meanwhile: that of the one which grew most.
    package let logGrowth: UInt64
    /// The same of all of them together.
    package let totalLogGrowth: UInt64
  }

  /// Looks at the limits every second, or four times as often while a log grows, and returns once no snapshot is held any
  /// more. It belongs beside the calls of `next`, which a client may keep from being made.
  ///
  /// - Parameters:
  ///   - ended: announced when the session is over, which must not be kept for a second longer.
  ///   - observe: is told what was seen.
  /// - Throws: `snapshotTooOld`, `logGrewTooMuch`, `spaceLow`, as soon as a limit is passed; the snapshots are released by
  ///   then, whatever the client does.
  @Loop package func watchLimits(
    until ended: Condition, observe: (Hold?) -> Void = { _ in }
  ) async throws(BackupError) {
    defer { observe(nil) }
    while let hold = try await checkLimits() {
      observe(hold)
      let interval = hold.logGrowth > 0 ? Self.growthInterval : Self.limitInterval
      if await ended.wait(until: .now + interval) { return }
    }
  }

  /// - Returns: nil if no snapshot is held.
  private func checkLimits() throws(BackupError) -> Hold? {
    guard failure == nil, let maker else { return nil }
    if maker.holdsWhatWasRead {
      // What is held only in case that it is asked for again is no reason to end the session.
      do {
        if try isInTheWay(maker) { maker.releaseWhatWasRead() }
        return try hold(maker.items)
      } catch {
        maker.releaseWhatWasRead()
      }
    }
    do { return try hold(maker.items) } catch { throw fail(error) }
  }

  /// Whether what was read to its end, and is held only in case that it is asked for again, costs an application too much. A
  /// checkpoint that is seen twice in a row waits for it.
  private func isInTheWay(_ maker: ArchiveMaker) throws(BackupError) -> Bool {
    guard let heldLogGrowth else { return false }
    let isBeingCheckpointed = maker.isReadBeingCheckpointed
    defer { wasReadBeingCheckpointed = isBeingCheckpointed }
    return try maker.logGrowthOfWhatWasRead() > heldLogGrowth
      || isBeingCheckpointed && wasReadBeingCheckpointed
  }

  private func hold(_ items: [Item]) throws(BackupError) -> Hold? {
    var logs: [(path: String, growth: UInt64, space: FileSystemSpace?)] = []
    for item in items where item.isDatabase {
      let growth = try item.logGrowth(limit: options.maximumLogGrowth)
      logs.append((item.entry.name, growth, growth > 0 ? item.logSpace : nil))
    }
    guard let largestGrowth = logs.map(\.growth).max() else { return nil }
    try options.minimumFree.check(logs)
    guard ContinuousClock.now - begun <= options.maximumSnapshotAge else {
      throw .snapshotTooOld(limit: options.maximumSnapshotAge)
    }
    return Hold(since: begun, logGrowth: largestGrowth, totalLogGrowth: logs.reduce(0) { $0 + $1.growth })
  }

  /// Whether an application is at a checkpoint of one of the databases that are held. One that is seen at it time and again
  /// waits for them to be released.
  package var isBeingCheckpointed: Bool { maker?.items.contains { $0.isBeingCheckpointed } ?? false }

  // MARK: the archive

  /// The next bytes of the archive, in pieces; nil after the last. They are made now, and no further ones until the next
  /// call, but for the blocks of the window.
  ///
  /// - Throws: `reading`, `changed`, `snapshotTooOld`, `logGrewTooMuch`, `spaceLow`, `zip`, `cancelled`. The archive is no archive
  ///   then, and every later call throws the same.
  package func next() async throws(BackupError) -> [[UInt8]]? {
    if let failure { throw failure }
    do throws(BackupError) {
      let chunk = try await maker?.next()
      if hashesArchive, let chunk {
        // No more than one chunk is behind.
        _ = await archiveHash?.value
        archiveHash = options.compressors.hashing(chunk, after: archiveHash)
      }
      return chunk
    } catch {
      throw fail(error)
    }
  }

  /// The SHA-256 of all that `next` has returned, once it has returned nil; nil if nobody has asked for it.
  package var digest: [UInt8]? {
    get async {
      guard let hash = await archiveHash?.value else { return nil }
      return Array(hash.finalize())
    }
  }

  /// The databases whose logs were left, when they were released, with rows in them that their files lack, and that no other
  /// process had open.
  package var leftLogs: [String] { maker?.leftLogs ?? [] }

  /// Uncompressed bytes that have gone in.
  package var bytesRead: UInt64 { maker?.bytesRead ?? 0 }

  /// Whether `beginAnew` can be asked for: the request said so, no limit has been passed that concerns what was read, and no
  /// plain file of that was written to since.
  package var canBeginAnew: Bool {
    guard failure == nil, let maker else { return false }
    return maker.holdsWhatWasRead && !maker.hasReadWhatChanged
  }

  /// Goes back to the archive's first byte: `next` makes the same ones again, of the same snapshots. It throws `changed` before
  /// it would return others, since a plain file may be written to at any time.
  ///
  /// - Returns: whether that could be done; if not, nothing has.
  package func beginAnew() -> Bool {
    guard canBeginAnew, let begun = maker else { return false }
    maker = ArchiveMaker(anew: begun)
    archiveHash = nil
    return true
  }
}
