import SQLiteSnapshot
import System

/// The checks of an archive's databases, one at a time, each beside the reading of what comes after it.
struct EntryChecks: ~Copyable {
  private var check: BoundedCheck
  private let spoolDirectory: String
  /// The one that was begun, and of which entry.
  private var begun: BoundedCheck.Begun?
  private var index = 0

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

  /// Whether the spool directory has room for another database beside the one that is checked.
  ///
  /// - Parameter size: of the next entry, in bytes; nil if it is not known.
  func leaveRoom(for size: UInt64?) -> Bool {
    guard isBegun else { return true }
    guard let size, let space = FileSystemSpace(of: BytePath(spoolDirectory)) else { return false }
    return size <= UInt64(DatabaseSpool.memorySize) || size < space.available
  }

  /// Begins the check of an entry. That of the one before is finished.
  mutating func begin(_ database: DatabaseContent, of index: Int) throws {
    begun = try check.begin(database)
    self.index = index
  }

  /// Waits for the check that was begun, and says in its entry what was found.
  mutating func finish(_ entries: inout [Verification.Entry]) throws {
    guard let begun = begun.take() else { return }
    let findings = try check.findings(of: begun)
    entries[index].fault = findings.fault
    entries[index].note = findings.remarks.isEmpty ? nil : findings.remarks.joined(separator: "; ")
    entries[index].notChecked = findings.unchecked.isEmpty ? nil : findings.unchecked
    entries[index].notFinished = findings.unfinished
  }

  /// Ends the check that was begun: its spool is not to outlive this process.
  mutating func discard() {
    if let begun = begun.take() { check.discard(begun) }
  }
}
