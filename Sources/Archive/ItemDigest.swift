import Crypto
import System

/// The SHA-256 of an item whose blocks come from several threads, each when it is done with it: the one that brings the next
/// in order adds it, and with it those that came early. No thread waits for another.
final class ItemDigest: Sendable {
  private struct State {
    /// Of the blocks so far; nil while a thread adds one.
    var hash: SHA256? = SHA256()
    /// The index of the block that comes next.
    var next = 0
    /// What came early, by index: no more than there are blocks under way.
    var early: [Int: [UInt8]] = [:]
    var waiter: (count: Int, continuation: CheckedContinuation<SHA256.Digest, Never>)?

    mutating func takeNext() -> (hash: SHA256, block: [UInt8])? {
      guard let hash, let block = early.removeValue(forKey: next) else { return nil }
      self.hash = nil
      next += 1
      return (hash, block)
    }

    /// - Returns: what waits for the digest, and the digest, if all blocks have been added.
    mutating func takeWaiter() -> (
      continuation: CheckedContinuation<SHA256.Digest, Never>, digest: SHA256.Digest
    )? {
      guard let waiter, let hash, waiter.count == next else { return nil }
      self.waiter = nil
      return (waiter.continuation, hash.finalize())
    }
  }

  private let state = Lock(State())

  /// Adds a block, or leaves it to the thread that adds the one before.
  func add(_ block: [UInt8], at index: Int) {
    state.withLock { $0.early[index] = block }
    while case (var hash, let block)? = state.withLock({ $0.takeNext() }) {
      hash.update(data: block)
      state.withLock { [hash] in $0.hash = hash }
    }
    resumeWaiter()
  }

  /// The digest of the first `count` blocks, once all of them have been added. To be asked once.
  func value(ofBlocks count: Int) async -> SHA256.Digest {
    await withCheckedContinuation { continuation in
      state.withLock { $0.waiter = (count, continuation) }
      resumeWaiter()
    }
  }

  private func resumeWaiter() {
    guard let (continuation, digest) = state.withLock({ $0.takeWaiter() }) else { return }
    continuation.resume(returning: digest)
  }
}
