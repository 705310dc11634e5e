import Crypto
import System
import Zip

/// A block of an item on its way into the archive: the threads of a pool compress it, and take the item's digest as far as
/// this block.
struct Block {
  let isFirst: Bool
  let isLast: Bool
  /// Of the item as far as this block, its end included.
  let hash: Task<SHA256, Never>
  private let deflated: Task<DeflatedBlock, any Error>

  /// - Parameter hash: of the item as far as the block before; nil for the first.
  init(
    _ bytes: [UInt8], isFirst: Bool, isLast: Bool, after hash: Task<SHA256, Never>?, _ engine: DeflateEngine,
    on compressors: WorkerPool
  ) {
    self.isFirst = isFirst
    self.isLast = isLast
    self.hash = compressors.hashing([bytes], after: hash)
    deflated = Task(executorPreference: compressors) { @concurrent in
      try engine.deflate(bytes, isLast: isLast)
    }
  }

  /// The block in the archive's words, once that is done, and the item's digest as far as it.
  ///
  /// - Throws: `zip`; `cancelled` after `cancel`.
  func finished() async throws(BackupError) -> (DeflatedBlock, SHA256) {
    do {
      return (try await deflated.value, await hash.value)
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
