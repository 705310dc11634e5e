import Crypto
import System
import Zip

/// A block of an item on its way into the archive: a thread of a pool compresses it, and adds it to the item's digest.
struct Block {
  /// In its item.
  let index: Int
  let isLast: Bool
  let digest: ItemDigest
  private let deflated: Task<DeflatedBlock, any Error>

  init(
    _ bytes: consuming [UInt8], at index: Int, isLast: Bool, of digest: ItemDigest, _ engine: DeflateEngine,
    on compressors: WorkerPool
  ) {
    self.index = index
    self.isLast = isLast
    self.digest = digest
    let bytes = consume bytes
    deflated = Task(executorPreference: compressors) { @concurrent in
      try Task.checkCancellation()
      let deflated = try engine.deflate(bytes, isLast: isLast)
      digest.add(bytes, at: index)
      return deflated
    }
  }

  /// The block in the archive's words, once that is done.
  ///
  /// - Throws: `zip`; `cancelled` after `cancel`.
  func finished() async throws(BackupError) -> DeflatedBlock {
    do {
      return try await deflated.value
    } catch let error as ZipError {
      throw .zip(error)
    } catch {
      throw .cancelled
    }
  }

  /// Spares the pool the work, if it has not begun.
  func cancel() { deflated.cancel() }
}

extension WorkerPool {
  /// Goes on with a digest, once it has come so far.
  nonisolated func hashing(_ pieces: [[UInt8]], after hash: Task<SHA256, Never>?) -> Task<SHA256, Never> {
    Task(executorPreference: self) { @concurrent in
      var hash = await hash?.value ?? SHA256()
      for piece in pieces { hash.update(data: piece) }
      return hash
    }
  }
}
