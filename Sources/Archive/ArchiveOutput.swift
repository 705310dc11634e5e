import Delta
import Zip

/// What becomes of an archive's bytes: the client gets them, or a delta that makes them, and a history keeps their digests.
struct ArchiveOutput {
  /// What the client gets.
  private(set) var content = Chunk()
  /// The archive's own bytes, if the client gets a delta and they are needed for a digest.
  private(set) var archive = Chunk()
  private let needsArchive: Bool
  private let history: HistoryWriter?
  private var delta: DeltaMaker?

  /// - Parameters:
  ///   - delta: nil if the client gets the archive itself.
  ///   - needsArchive: whether its bytes are needed beside a delta.
  init(_ history: HistoryWriter?, _ delta: DeltaMaker?, needsArchive: Bool) {
    self.history = history
    self.delta = delta
    self.needsArchive = needsArchive
  }

  /// Begins again from the first byte.
  func rewound() -> ArchiveOutput {
    history?.rewind()
    return ArchiveOutput(history, delta?.rewound(), needsArchive: needsArchive)
  }

  /// Takes the chunks, and makes room for the next.
  mutating func take() -> MadeChunk {
    defer { (content, archive) = (Chunk(), Chunk()) }
    return MadeChunk(
      content: content.pieces, archive: delta == nil ? content.pieces : archive.pieces)
  }

  /// - Parameter dataOffset: in the archive, where the data begins that follows the records.
  mutating func begin(_ entry: ZipEntry, _ records: [UInt8], dataOffset: UInt64) {
    history?.begin(entry.name, dataOffset: dataOffset, size: entry.size)
    delta?.begin(entry, records)
    append(records)
  }

  mutating func add(_ block: Block.Made, at index: Int) {
    history?.add(block.unitDigests)
    delta?.add(block, at: index)
    append(block.deflated.bytes)
  }

  mutating func add(_ records: [UInt8]) {
    delta?.add(records)
    append(records)
  }

  private mutating func append(_ bytes: [UInt8]) {
    if delta == nil {
      content.append(bytes)
    } else if needsArchive {
      archive.append(bytes)
    }
  }

  /// Takes what the delta has come to.
  mutating func update(isRecorded: Bool) throws(BackupError) {
    if let output = try delta?.takeOutput(isRecorded: isRecorded) { content.append(output) }
  }

  /// The archive has been made.
  mutating func finish(isRecorded: Bool) throws(BackupError) {
    history?.finish()
    if let output = try delta?.finish(isRecorded: isRecorded) { content.append(output) }
  }
}

/// The next bytes, in pieces.
struct MadeChunk {
  /// Of what the client gets.
  let content: [[UInt8]]
  /// Of the archive, as far as they are needed.
  let archive: [[UInt8]]
}
