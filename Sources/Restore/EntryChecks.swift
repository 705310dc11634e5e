import SQLiteSnapshot
import System

/// The checks of an archive's databases, one at a time, each beside the reading of what comes after it. What was read while another
/// is checked waits: one that takes long keeps no one from sending the rest, a service least of all, which gives up.
struct EntryChecks: ~Copyable {
  private var check: BoundedCheck
  private let spoolDirectory: String
  /// The one that was begun, and of which entry.
  private var begun: BoundedCheck.Begun?
  private var index = 0
  /// The databases that wait, in their order, each with the index of its entry.
  private var waiting: [(database: DatabaseContent, index: Int)] = []

  /// More do not wait: then the reading does. Each has a descriptor and a file, or is in memory.
  private static let maximumWaiting = 256
  /// The most that a database takes in memory which may have to wait, in bytes.
  private static let memorySizeWaiting = 256 << 10

  init(_ options: Verification.Options, isInterrupted: @escaping @Sendable () -> Bool) {
    check = BoundedCheck(
      timeLimit: options.checkTimeout, isThorough: !options.quick, isInterrupted: isInterrupted)
    spoolDirectory = options.spoolDirectory
  }

  var isBegun: Bool {
    switch begun {
    case .some: true
    case nil: false
    }
  }

  /// What the next database may take in memory, in bytes; a larger one is in a file.
  var memorySize: Int { isBegun ? Self.memorySizeWaiting : DatabaseSpool.memorySize }

  /// Takes what is found by now, and begins the next check.
  mutating func goOn(_ entries: inout [Verification.Entry]) throws {
    while isBegun, isCheckOver { try finishOne(&entries) }
  }

  /// The same, and waits until the spool directory has room for another database beside those there are.
  ///
  /// - Parameter size: of the next entry, in bytes; nil if it is not known.
  mutating func leaveRoom(for size: UInt64?, _ entries: inout [Verification.Entry]) throws {
    while isBegun, isCheckOver || !hasRoom(for: size) { try finishOne(&entries) }
  }

  private var isCheckOver: Bool {
    switch begun {
    case .some(let begun): check.isOver(begun)
    case nil: true
    }
  }

  private func hasRoom(for size: UInt64?) -> Bool {
    guard waiting.count < Self.maximumWaiting else { return false }
    // A directory that becomes full is waited for then.
    guard let size else { return true }
    guard let space = FileSystemSpace(of: BytePath(spoolDirectory)) else { return false }
    return size <= UInt64(memorySize) || size < space.available
  }

  /// Begins the check of an entry that is still being read. No other may be under way.
  mutating func begin(_ database: DatabaseContent, of index: Int) throws {
    begun = try check.begin(database)
    self.index = index
  }

  /// Checks an entry once those before it are checked.
  mutating func add(_ database: DatabaseContent, of index: Int) throws {
    if isBegun { waiting.append((database, index)) } else { try begin(database, of: index) }
  }

  /// Waits for all checks, and says in their entries what was found.
  mutating func finish(_ entries: inout [Verification.Entry]) throws {
    while isBegun { try finishOne(&entries) }
  }

  /// Waits for the check that was begun, and begins the next.
  private mutating func finishOne(_ entries: inout [Verification.Entry]) throws {
    guard let begun = begun.take() else { return }
    let findings = try check.findings(of: begun)
    entries[index].fault = findings.fault
    entries[index].note = findings.remarks.isEmpty ? nil : findings.remarks.joined(separator: "; ")
    entries[index].notChecked = findings.unchecked.isEmpty ? nil : findings.unchecked
    entries[index].notFinished = findings.unfinished
    if !waiting.isEmpty {
      let next = waiting.removeFirst()
      try begin(next.database, of: next.index)
    }
  }

  /// Ends all checks: their spools are not to outlive this process.
  mutating func discard() {
    waiting = []
    if let begun = begun.take() { check.discard(begun) }
  }
}
