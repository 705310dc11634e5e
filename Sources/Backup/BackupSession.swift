internal import Crypto
public import EventLoop
public import Zip

/// One backup under way: it holds the snapshots and makes the archive's bytes, each chunk when it is asked for.
///
/// Files are read on the session's own thread. Blocks are compressed by threads that all sessions share, a few ahead of
/// the one that is asked for and never more, so a client that stops reading stops everything.
public actor BackupSession {
  /// What one caller asks for beyond the options of the service.
  public struct Request: Sendable {
    /// The databases to take, by name; nil for everything.
    public var databases: [String]?
    /// Overrides the option of the same name.
    public var compression: Compression?
    /// Overrides the option of the same name.
    public var strict: Bool?
    /// Whether the digest of the whole archive is wanted, which nobody else is to pay for.
    public var digest = false

    /// Makes a request for everything, with the service's own options.
    public init(databases: [String]? = nil, compression: Compression? = nil, strict: Bool? = nil) {
      self.databases = databases
      self.compression = compression
      self.strict = strict
    }
  }

  /// What is known of an archive before its first byte.
  public struct Preamble: Sendable {
    /// `<name>-backup-<UTC date>.zip`.
    public let fileName: String
    /// In bytes; nil when only compressing will tell.
    public let archiveSize: UInt64?
    /// The bytes that go in, uncompressed, without the manifest.
    public let contentSize: UInt64
    /// What could not be taken.
    public let skipped: [Skipped]
    /// 128 bits in hexadecimal that tell the state of all that goes in from every other: see `StateTag`.
    public let state: String
    /// 128 bits in hexadecimal that no other archive has, nor can anyone guess them.
    public let id: String
  }

  /// Blocks being compressed beyond one for each processor: enough that none of them waits for the reading.
  private static let blocksAhead = 2
  /// A chunk is whole when this many bytes have gone in or come out: to pass one from thread to thread takes time, which
  /// ought to be little beside that of making it.
  private static let chunkSize = 512 << 10
  /// How often the limits of held snapshots are looked at while the client takes nothing.
  private static let limitInterval = Duration.seconds(1)

  private nonisolated let worker: WorkerThread
  private let options: ArchiveOptions
  private let engine: DeflateEngine
  private let begun = ContinuousClock.now
  private let windowSize: Int
  /// Nanoseconds since 1970.
  private let created: Int64
  private var failure: BackupError?

  private var items: [Item] = []
  /// Grows by an entry whenever an item has been read, and is complete when the last has been written.
  private var manifest: Manifest
  private var holdsManifest = false

  /// Uncompressed bytes that have gone in.
  public private(set) var bytesRead: UInt64 = 0

  // The reading end of the window.
  private var readingItem = 0
  private var readingOffset: UInt64 = 0
  /// Of what has been read of the item; nil at its beginning.
  private var hash: Task<SHA256, Never>?

  /// Blocks read and handed to the compressors, in the archive's order.
  private var window: [Block] = []

  private struct Block {
    let isFirst: Bool
    let isLast: Bool
    let deflated: Task<DeflatedBlock, any Error>
    /// Of the item as far as this block.
    let hashed: Task<SHA256, Never>
  }

  // The writing end.
  private var hasBegun = false
  private var writtenItem = 0
  private var writer: ZipWriter? = ZipWriter()
  private let hashesArchive: Bool
  /// Of the archive as far as it has been made, if that is wanted; nil at its beginning.
  private var archiveHash: Task<SHA256, Never>?

  /// The session's thread.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    unsafe worker.asUnownedSerialExecutor()
  }

  // MARK: beginning and end

  /// Takes every snapshot and opens every file.
  ///
  /// - Throws: every case of `BackupError` that concerns the directory and the request; `incomplete` if
  ///   something had to be skipped and the options are strict.
  public static func open(
    _ options: ArchiveOptions, _ request: Request = Request()
  ) async throws(BackupError) -> (session: BackupSession, preamble: Preamble) {
    let worker: WorkerThread
    do { worker = try WorkerThread(named: "backup") } catch { throw .system("\(error)") }
    var options = options
    options.compression = request.compression ?? options.compression
    options.strict = request.strict ?? options.strict
    let session = BackupSession(worker, options, hashesArchive: request.digest)
    return (session, try await session.begin(request.databases))
  }

  private init(_ worker: WorkerThread, _ options: ArchiveOptions, hashesArchive: Bool) {
    self.worker = worker
    self.options = options
    windowSize = options.compressors.threadCount + Self.blocksAhead
    self.hashesArchive = hashesArchive
    engine = DeflateEngine(options.compression)
    let created = FileSystem.now()
    self.created = created
    manifest = Manifest(
      generator: options.generator, name: options.name, appVersion: options.appVersion,
      created: Timestamp(nanoseconds: created).milliseconds, snapshotSkewMilliseconds: 0, complete: true,
      entries: [], skipped: [])
  }

  // Nothing can be asked of the thread any more: every job keeps the session alive.
  deinit { worker.stop() }

  private func begin(_ selection: [String]?) throws(BackupError) -> Preamble {
    do throws(BackupError) {
      let directory = try DataDirectory(
        options.dataDirectory, includes: options.includes, selection: selection)
      let inventory = try Inventory(of: directory, options, now: created)
      guard inventory.skipped.isEmpty || !options.strict else {
        throw BackupError.incomplete(inventory.skipped)
      }
      // Not before: what is copied is locked until then.
      WorkerThread.yieldToOthers()
      items = inventory.items
      manifest.skipped = inventory.skipped
      manifest.complete = inventory.skipped.isEmpty
      manifest.snapshotSkewMilliseconds = Double(inventory.skewNanoseconds / 1000) / 1000
      return Preamble(
        fileName: "\(options.name)-backup-\(Timestamp(nanoseconds: created).date).zip",
        archiveSize: try archiveSize(), contentSize: items.reduce(0) { $0 + $1.entry.size },
        skipped: inventory.skipped, state: try state(of: directory), id: StateTag.unique())
    } catch {
      throw fail(error)
    }
  }

  /// All that shapes the archive but the clock: that is, when it was made and the snapshots were taken.
  private func state(of directory: DataDirectory) throws(BackupError) -> String {
    var state = StateTag(lookedAt: directory.lookedAt)
    for text in [options.generator, options.name, options.appVersion, options.compression.rawValue] {
      state.add(text)
    }
    // The same content in another zip's words is another archive.
    state.add(DeflateEngine.name)
    for item in items where item.status != nil { try state.add(item) }
    for skipped in manifest.skipped {
      for text in [skipped.path, skipped.reason, skipped.detail] { state.add(text) }
    }
    return state.text
  }

  /// The archive's size in bytes if it is stored; nil if it is compressed.
  private func archiveSize() throws(BackupError) -> UInt64? {
    guard options.compression == .store else { return nil }
    var placeholder = manifest
    placeholder.entries = items.map {
      $0.manifestEntry(sha256: Self.hexadecimal(SHA256().finalize()), crc32: 0)
    }
    do {
      return try ZipWriter.storedLength(
        of: (items + [Item(manifest: placeholder, modified: created / 1_000_000_000)]).map(\.entry))
    } catch {
      throw .zip(error)
    }
  }

  /// Releases the snapshots and the files at once; `next` throws from now on.
  ///
  /// - Returns: what had ended the session before, if anything had.
  @discardableResult
  public func close() -> BackupError? {
    defer { _ = fail(.cancelled) }
    return failure
  }

  /// Ends the session for a reason, which is kept if it is the first.
  private func fail(_ error: BackupError) -> BackupError {
    failure = failure ?? error
    items.removeAll()
    for block in window { block.deflated.cancel() }
    window.removeAll()
    return failure ?? error
  }

  // MARK: limits

  /// What holding the snapshots costs the application.
  public struct Hold: Sendable {
    /// Since when the first of them has been held.
    public let since: ContinuousClock.Instant
    /// By how many bytes the logs have grown meanwhile: that of the one which grew most.
    public let logGrowth: UInt64
  }

  /// Looks at the limits every second, and returns once no snapshot is held any more. It belongs beside the
  /// calls of `next`, which a client may keep from being made.
  ///
  /// - Parameters:
  ///   - ended: announced when the session is over, which must not be kept for a second longer.
  ///   - observe: is told what was seen.
  /// - Throws: `snapshotTooOld`, `logGrewTooMuch`, as soon as a limit is passed; the snapshots are released by
  ///   then, whatever the client does.
  @Loop public func watchLimits(
    until ended: Condition, observe: (Hold?) -> Void = { _ in }
  ) async throws(BackupError) {
    defer { observe(nil) }
    while let hold = try await checkLimits() {
      observe(hold)
      if await ended.wait(until: .now + Self.limitInterval) { return }
    }
  }

  /// - Returns: nil if no snapshot is held.
  private func checkLimits() throws(BackupError) -> Hold? {
    if failure != nil { return nil }
    do throws(BackupError) {
      var largestGrowth: UInt64?
      for item in items where item.isDatabase {
        largestGrowth = max(largestGrowth ?? 0, try item.logGrowth(limit: options.maximumLogGrowth))
      }
      guard let largestGrowth else { return nil }
      guard ContinuousClock.now - begun <= options.maximumSnapshotAge else {
        throw BackupError.snapshotTooOld(limit: options.maximumSnapshotAge)
      }
      return Hold(since: begun, logGrowth: largestGrowth)
    } catch {
      throw fail(error)
    }
  }

  /// Whether an application is at a checkpoint of one of the databases that are held. One that is seen at it time and again
  /// waits for them to be released.
  public var isBeingCheckpointed: Bool { items.contains { $0.isBeingCheckpointed } }

  // MARK: the archive

  /// The next bytes of the archive, in pieces; nil after the last. They are made now, and no further ones until the next
  /// call, but for the blocks of the window.
  ///
  /// - Throws: `reading`, `snapshotTooOld`, `logGrewTooMuch`, `zip`, `cancelled`. The archive is no archive
  ///   then, and every later call throws the same.
  public func next() async throws(BackupError) -> [[UInt8]]? {
    if let failure { throw failure }
    do throws(BackupError) {
      let chunk = try await produce()
      if hashesArchive, let chunk {
        // No more than one chunk is behind.
        _ = await archiveHash?.value
        archiveHash = hashing(chunk, after: archiveHash)
      }
      return chunk
    } catch {
      throw fail(error)
    }
  }

  /// The SHA-256 of all that `next` has returned, once it has returned nil; nil if nobody has asked for it.
  public var digest: [UInt8]? {
    get async {
      guard let hash = await archiveHash?.value else { return nil }
      return Array(hash.finalize())
    }
  }

  private func produce() async throws(BackupError) -> [[UInt8]]? {
    guard writer != nil else { return nil }
    var chunk = Chunk()
    if !hasBegun {
      hasBegun = true
      try fillWindow()
      // The first bytes are known before anything has been compressed: a client need not wait for them.
      chunk.append(try begin(items[0]))
      return chunk.pieces
    }
    var read = 0
    while read < Self.chunkSize, chunk.count < Self.chunkSize {
      try fillWindow()
      guard !window.isEmpty else {
        chunk.append(try finish())
        break
      }
      let block = window.removeFirst()
      if block.isFirst, writtenItem > 0 { chunk.append(try begin(items[writtenItem])) }
      let deflated = try await Self.value(of: block.deflated)
      let hash = await block.hashed.value
      // While this waited for the compressors, a limit may have ended the session.
      if let failure { throw failure }
      try zip { (writer) throws(ZipError) in try writer?.add(deflated) }
      chunk.append(deflated.bytes)
      read += deflated.uncompressedCount
      if block.isLast { chunk.append(try end(sha256: hash.finalize())) }
    }
    return chunk.pieces
  }

  private func begin(_ item: Item) throws(BackupError) -> [UInt8] {
    var records: [UInt8] = []
    try zip { (writer) throws(ZipError) in try writer?.begin(item.entry, into: &records) }
    return records
  }

  private func end(sha256: SHA256.Digest) throws(BackupError) -> [UInt8] {
    var records: [UInt8] = []
    let summary = try zip { (writer) throws(ZipError) in try writer?.end(into: &records) }
    if writtenItem < manifest.entries.count, let summary {
      manifest.entries[writtenItem].crc32 = Item.hexadecimal(summary.crc32)
      manifest.entries[writtenItem].sha256 = Self.hexadecimal(sha256)
    }
    writtenItem += 1
    return records
  }

  private func finish() throws(BackupError) -> [UInt8] {
    var records: [UInt8] = []
    try zip { (writer) throws(ZipError) in try writer.take()?.finish(into: &records) }
    return records
  }

  /// Reads blocks and hands them to the compressors until the window is full.
  private func fillWindow() throws(BackupError) {
    while window.count < windowSize {
      if readingItem == items.count {
        // The manifest tells the CRC of every entry: it is made when the last of them has been written.
        guard writtenItem == items.count, !holdsManifest else { return }
        items.append(Item(manifest: manifest, modified: created / 1_000_000_000))
        holdsManifest = true
      }
      let item = items[readingItem]
      let count = Int(min(UInt64(DeflateEngine.blockSize), item.entry.size - readingOffset))
      let bytes = try item.read(count, at: readingOffset)
      let hashed = hashing([bytes], after: hash)
      hash = hashed
      let isFirst = readingOffset == 0
      readingOffset += UInt64(count)
      bytesRead += UInt64(count)
      let isLast = readingOffset == item.entry.size
      window.append(
        Block(isFirst: isFirst, isLast: isLast, deflated: deflate(bytes, isLast: isLast), hashed: hashed))
      if isLast { finishReading() }
    }
  }

  private func deflate(_ bytes: [UInt8], isLast: Bool) -> Task<DeflatedBlock, any Error> {
    Task(executorPreference: options.compressors) { @concurrent [engine] in
      try engine.deflate(bytes, isLast: isLast)
    }
  }

  private func hashing(_ pieces: [[UInt8]], after hash: Task<SHA256, Never>?) -> Task<SHA256, Never> {
    Task(executorPreference: options.compressors) { @concurrent in
      var hash = await hash?.value ?? SHA256()
      for piece in pieces { hash.update(data: piece) }
      return hash
    }
  }

  /// Lets go of what has been read: a pin is held no longer than it must be.
  private func finishReading() {
    if !holdsManifest {
      // Its checksums are known when it has been written.
      manifest.entries.append(items[readingItem].manifestEntry(sha256: "", crc32: 0))
    }
    items[readingItem].release()
    hash = nil
    readingOffset = 0
    readingItem += 1
  }

  private func zip<T>(_ body: (inout ZipWriter?) throws(ZipError) -> T) throws(BackupError) -> T {
    do { return try body(&writer) } catch { throw .zip(error) }
  }

  private static func value(of task: Task<DeflatedBlock, any Error>) async throws(BackupError)
    -> DeflatedBlock
  {
    do {
      return try await task.value
    } catch let error as ZipError {
      throw .zip(error)
    } catch {
      throw .cancelled
    }
  }

  private static func hexadecimal(_ digest: SHA256.Digest) -> String {
    digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
