import Archive
import Crypto
import System

/// What the bytes of one entry came to.
struct EntryContent: Equatable {
  var size: UInt64
  /// In hexadecimal.
  var sha256: String
  var crc32: UInt32
}

/// Sums an entry up while it is read: a long one on a thread of its own, beside what inflates it and writes it.
struct EntryDigest: ~Copyable {
  /// In bytes, so far.
  private(set) var size: UInt64 = 0
  private var hash = SHA256()
  private var thread: DigestThread?

  /// A thread costs as much as to hash some of this.
  private static let sizeWithoutThread: UInt64 = 1 << 20

  mutating func append(_ piece: [UInt8]) {
    size += UInt64(piece.count)
    // Where there is none to be had, it takes longer.
    if thread == nil, size > Self.sizeWithoutThread { thread = try? DigestThread(hash) }
    if let thread { thread.append(piece) } else { hash.update(data: piece) }
  }

  consuming func content(crc32: UInt32) -> EntryContent {
    EntryContent(size: size, sha256: (thread?.finish() ?? hash).finalize().hexadecimal, crc32: crc32)
  }
}

/// Goes on with a SHA-256 on a thread of its own.
private final class DigestThread {
  /// In pieces, of 256 KiB at the most: the thread that is faster need not wait for each.
  private static let queueLength = 4

  private final class Queue: Sendable {
    let pieces = Lock<[[UInt8]]>([])
    /// As many as there is room for.
    let free: Descriptor
    /// As many as wait. An empty one is the last.
    let waiting: Descriptor

    init() throws(SystemError) {
      free = try SystemCalls.semaphore()
      waiting = try SystemCalls.semaphore()
      for _ in 0..<DigestThread.queueLength { SystemCalls.signalEvent(free) }
    }

    func append(_ piece: [UInt8]) {
      SystemCalls.consumeEvent(free)
      pieces.withLock { $0.append(piece) }
      SystemCalls.signalEvent(waiting)
    }

    func next() -> [UInt8] {
      SystemCalls.consumeEvent(waiting)
      let piece = pieces.withLock { $0.removeFirst() }
      SystemCalls.signalEvent(free)
      return piece
    }
  }

  private let queue: Queue
  private var thread: AbandonableThread.Running<SHA256>?

  init(_ hash: SHA256) throws(SystemError) {
    let queue = try Queue()
    self.queue = queue
    thread = try AbandonableThread.start(named: "digest") {
      var hash = hash
      while true {
        let piece = queue.next()
        if piece.isEmpty { return hash }
        hash.update(data: piece)
      }
    }
  }

  /// - Parameter piece: is not empty.
  func append(_ piece: [UInt8]) { queue.append(piece) }

  /// Waits until all of it was hashed.
  func finish() -> SHA256? {
    queue.append([])
    return thread.take()?.result()
  }

  deinit {
    if thread != nil { queue.append([]) }
  }
}
