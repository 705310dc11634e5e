import Crypto
import System

/// The SHA-256 of an item whose blocks come from several threads: the one that brings the next in order adds it, and with it
/// those that came early. No thread waits for another.
final class ItemDigest: Sendable {
  private struct State {
    /// Of the blocks so far; nil while a thread adds one.
    var hash: SHA256? = SHA256()
    /// The index of the block that comes next.
    var next = 0
    /// What came early, by index: no more than there are blocks under way.
    var early: [Int: [UInt8]] = [:]
    var waiter: (count: Int, continuation: CheckedContinuation<Void, Never>)?

    /// How many blocks have been added.
    var count: Int { hash == nil ? next - 1 : next }

    mutating func takeNext() -> (hash: SHA256, block: [UInt8])? {
      guard let hash, let block = early.removeValue(forKey: next) else { return nil }
      self.hash = nil
      next += 1
      return (hash, block)
    }

    /// - Returns: what waits for so many blocks, once they have been added.
    mutating func takeWaiter() -> CheckedContinuation<Void, Never>? {
      guard let waiter, waiter.count <= count else { return nil }
      self.waiter = nil
      return waiter.continuation
    }
  }

  private let state = Lock(State())

  /// Adds a block, or leaves it to the thread that adds the one before.
  func add(_ block: [UInt8], at index: Int) {
    state.withLock { $0.early[index] = block }
    while case (var hash, let block)? = state.withLock({ $0.takeNext() }) {
      hash.update(data: block)
      state.withLock { [hash] in $0.hash = hash }
      resumeWaiter()
    }
  }

  /// Waits until the first `count` blocks have been added. One task may wait at a time.
  func reaches(_ count: Int) async {
    await withCheckedContinuation { continuation in
      state.withLock { $0.waiter = (count, continuation) }
      resumeWaiter()
    }
  }

  /// The digest of all `count` blocks, once they have been added.
  func value(ofBlocks count: Int) async -> SHA256.Digest {
    await reaches(count)
    guard let hash = state.withLock({ $0.count == count ? $0.hash : nil }) else {
      preconditionFailure("there are more blocks")
    }
    return hash.finalize()
  }

  private func resumeWaiter() {
    state.withLock { $0.takeWaiter() }?.resume()
  }
}
