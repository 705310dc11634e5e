import Crypto
import Delta
import SQLiteSnapshot
import System
import Zip

/// Makes the bytes of one archive out of its items, each chunk when it is asked for.
///
/// Items are read where `next` is called. Blocks are compressed by threads that all sessions share, a few ahead of the one
/// that is asked for and never more.
final class ArchiveMaker {
  /// Blocks being compressed beyond one for each processor: enough that none of them waits for the reading, though the thread
  /// that reads waits for a slice of theirs to end.
  private static let blocksAhead = 3
  /// A chunk is whole when this many bytes have gone in or come out: to pass one from thread to thread takes time, which
  /// ought to be little beside that of making it.
  private static let chunkSize = 512 << 10

  /// In the archive's order; the manifest joins them when all others have been written.
  var items: [ArchiveItem]
  /// Uncompressed bytes that have gone in.
  private(set) var bytesRead: UInt64 = 0
  /// Whether what has been read is held until the end, so that the archive can be made again.
  var isRewindable: Bool

  /// The databases whose WALs were left with rows in them that no process has open, when they were released.
  var leftWALs: [String] = []

  private let compression: Compression
  private let compressors: WorkerPool
  private let engine: DeflateEngine
  /// Grows by an entry whenever an item has been read, and is complete when the last has been written.
  private var manifest: Manifest
  /// In seconds since 1970.
  private let modified: Int64
  private var holdsManifest = false
  private var isAbandoned = false

  // The reading end of the window.
  private(set) var readingItem = 0
  private(set) var readingOffset: UInt64 = 0
  /// Of the item, and how many of its blocks have been read.
  private var digest = ItemDigest()
  private var blocksRead = 0
  /// Of all items.
  private var blocksBegun = 0

  /// Blocks read and handed to the compressors, in the archive's order.
  private var window: [Block] = []
  private let windowSize: Int

  // The writing end.
  private var hasBegun = false
  private var writtenItem = 0
  private var writer: ZipWriter?

  private var made = MadeBlocks()
  private let unitHash: UnitHash?
  private var output: ArchiveOutput

  /// What is being copied so that its snapshot can be released before it was read.
  var detachment: Detachment?
  var hasSpoolRefused = false

  /// - Parameters:
  ///   - items: without the manifest.
  ///   - manifest: without entries.
  ///   - unitHash: for the digests that `output` needs.
  ///   - modified: when the archive's own entries were made, in seconds since 1970.
  init(
    _ compression: Compression, _ compressors: WorkerPool, _ items: [ArchiveItem], _ manifest: Manifest,
    _ unitHash: UnitHash?, _ output: ArchiveOutput, modified: Int64, isRewindable: Bool
  ) {
    self.compression = compression
    self.compressors = compressors
    self.items = items
    self.manifest = manifest
    self.unitHash = unitHash
    self.output = output
    self.modified = modified
    self.isRewindable = isRewindable
    windowSize = compressors.threadCount + Self.blocksAhead
    engine = DeflateEngine(compression, parallelism: windowSize)
    writer = ZipWriter(alignment: compression.alignment)
  }

  /// Makes an archive again from its first byte, out of all that its maker holds: byte for byte the same.
  ///
  /// - Parameter begun: is rewindable, and has not been abandoned.
  init(rewinding begun: ArchiveMaker) {
    compression = begun.compression
    compressors = begun.compressors
    items = begun.holdsManifest ? begun.items.dropLast() : begun.items
    manifest = begun.manifest
    manifest.entries = []
    modified = begun.modified
    isRewindable = true
    engine = begun.engine
    writer = ZipWriter(alignment: begun.compression.alignment)
    windowSize = begun.windowSize
    made = begun.made.rewound()
    unitHash = begun.unitHash
    output = begun.output.rewound()
    leftWALs = begun.leftWALs
    begun.stop()
  }

  /// The size in bytes of an archive of these items if it is stored.
  static func storedSize(
    of items: [ArchiveItem], _ manifest: Manifest, modified: Int64
  ) throws(BackupError) -> UInt64 {
    var placeholder = manifest
    placeholder.entries = items.map {
      $0.manifestEntry(sha256: SHA256().finalize().hexadecimal, crc32: 0)
    }
    do {
      return try ZipWriter.storedLength(
        of: (items + [ArchiveItem(manifest: placeholder, modified: modified)]).map(\.entry))
    } catch {
      throw .zip(error)
    }
  }

  /// Releases everything at once; `next` throws `cancelled` from now on.
  func abandon() {
    for index in items.indices { release(index) }
    stop()
  }

  /// Stops without releasing what another maker goes on with.
  private func stop() {
    isAbandoned = true
    items.removeAll()
    detachment = nil
    for block in window { block.cancel() }
    window.removeAll()
  }

  /// The next bytes of the archive, in pieces; nil after the last. They are made now, and no further ones until the next
  /// call, but for the blocks of the window.
  ///
  /// - Throws: `reading`, `zip`, `cancelled`: the archive is no archive then.
  func next() async throws(BackupError) -> MadeChunk? {
    guard writer != nil else { return nil }
    if !hasBegun {
      hasBegun = true
      try fillWindow()
      // The first bytes are known before anything has been compressed: a client need not wait for them.
      try begin(items[0])
      return output.take()
    }
    var read = 0
    while read < Self.chunkSize, output.content.count < Self.chunkSize {
      try fillWindow()
      guard !window.isEmpty else {
        try finish()
        break
      }
      let block = window.removeFirst()
      if block.index == 0, writtenItem > 0 { try begin(items[writtenItem]) }
      let finished = try await block.finished()
      let deflated = finished.deflated
      let sha256 = block.isLast ? await block.digest.value(ofBlocks: block.index + 1) : nil
      // While this waited for the compressors, a limit may have been passed.
      guard !isAbandoned else { throw .cancelled }
      let isAsBefore =
        compression == .store
        ? made.agrees(crc32: deflated.crc32, isRecorded: isRewindable)
        : made.agrees(deflated.bytes, isRecorded: isRewindable)
      guard isAsBefore else {
        throw .changed(path: items[writtenItem].entry.name)
      }
      try zip { (writer) throws(ZipError) in try writer?.add(deflated) }
      output.add(finished, at: block.index)
      read += deflated.uncompressedCount
      if let sha256 { try end(sha256: sha256) }
      try output.update(isRecorded: isRewindable)
    }
    return output.take()
  }

  // MARK: the writing end

  private func begin(_ item: ArchiveItem) throws(BackupError) {
    var records: [UInt8] = []
    try zip { (writer) throws(ZipError) in try writer?.begin(item.entry, into: &records) }
    output.begin(item.entry, records, dataOffset: writer?.offset ?? 0)
  }

  private func end(sha256: SHA256.Digest) throws(BackupError) {
    var records: [UInt8] = []
    let summary = try zip { (writer) throws(ZipError) in try writer?.end(into: &records) }
    if writtenItem < manifest.entries.count, let summary {
      manifest.entries[writtenItem].crc32 = summary.crc32.hexadecimal
      manifest.entries[writtenItem].sha256 = sha256.hexadecimal
    }
    writtenItem += 1
    output.add(records)
  }

  private func finish() throws(BackupError) {
    var records: [UInt8] = []
    try zip { (writer) throws(ZipError) in try writer.take()?.finish(into: &records) }
    output.add(records)
    try output.finish(isRecorded: isRewindable)
  }

  // MARK: the reading end

  /// Reads blocks and hands them to the compressors until the window is full.
  private func fillWindow() throws(BackupError) {
    while window.count < windowSize {
      if readingItem == items.count {
        // The manifest tells the CRC of every entry: it is made when the last of them has been written.
        guard writtenItem == items.count, !holdsManifest else { return }
        items.append(ArchiveItem(manifest: manifest, modified: modified))
        holdsManifest = true
      }
      let item = items[readingItem]
      let count = Int(min(UInt64(DeflateEngine.blockSize), item.entry.size - readingOffset))
      let bytes = try item.read(count, at: readingOffset)
      readingOffset += UInt64(count)
      bytesRead += UInt64(count)
      let isLast = readingOffset == item.entry.size
      window.append(
        Block(
          bytes, at: blocksRead, isLast: isLast, number: blocksBegun, of: digest, engine, unitHash,
          on: compressors))
      blocksRead += 1
      blocksBegun += 1
      if isLast { try finishReading() }
    }
  }

  /// Releases what has been read to its end: a pin is held no longer than it must be.
  private func finishReading() throws(BackupError) {
    if !holdsManifest {
      try items[readingItem].checkRead()
      // Its checksums are known when it has been written.
      manifest.entries.append(items[readingItem].manifestEntry(sha256: "", crc32: 0))
    }
    // The client was faster.
    if detachment?.item == readingItem { detachment = nil }
    if !isRewindable { release(readingItem) }
    digest = ItemDigest()
    blocksRead = 0
    readingOffset = 0
    readingItem += 1
  }

  private func zip<T>(_ body: (inout ZipWriter?) throws(ZipError) -> T) throws(BackupError) -> T {
    do { return try body(&writer) } catch { throw .zip(error) }
  }
}
