import Crypto
import Delta
import System
import Zip

/// A block of an item on its way into the archive: a thread of a pool compresses it, adds it to the item's digest, and computes
/// those of its units if there is to be a history.
struct Block {
  /// In its item.
  let index: Int
  let isLast: Bool
  let digest: ItemDigest
  private let made: Task<Made, any Error>

  struct Made: Sendable {
    let deflated: DeflatedBlock
    /// Of its units; none if there is no history.
    let unitDigests: [UInt8]
  }

  /// - Parameter number: in the archive.
  init(
    _ bytes: consuming [UInt8], at index: Int, isLast: Bool, number: Int, of digest: ItemDigest,
    _ engine: DeflateEngine, _ unitHash: UnitHash?, on compressors: WorkerPool
  ) {
    self.index = index
    self.isLast = isLast
    self.digest = digest
    let bytes = consume bytes
    made = Task(executorPreference: compressors) { @concurrent in
      try Task.checkCancellation()
      let deflated = try engine.deflate(bytes, isLast: isLast, number: number)
      let unitDigests = unitHash?.digests(of: bytes) ?? []
      digest.add(bytes, at: index)
      return Made(deflated: deflated, unitDigests: unitDigests)
    }
  }

  /// The block in the archive's words, once that is done.
  ///
  /// - Throws: `zip`; `cancelled` after `cancel`.
  func finished() async throws(BackupError) -> Made {
    do {
      return try await made.value
    } catch let error as ZipError {
      throw .zip(error)
    } catch {
      throw .cancelled
    }
  }

  /// Spares the pool the work, if it has not begun.
  func cancel() { made.cancel() }
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
