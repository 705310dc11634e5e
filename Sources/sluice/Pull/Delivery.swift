import Glibc
import Pull
import System

/// Brings one archive to its destinations, all at once; the slowest sets the pace.
///
/// The last part is held back until the archive is known to be sound. Until then no command finds the end of its input: one
/// that is killed before has nothing to keep.
final class Delivery {
  /// More than the records at the end of a zip, 98 bytes and a comment, have: what a command has written to a file by then is
  /// no zip.
  static let heldByteCount = 128 << 10

  private final class Running {
    let destination: Destination
    let command: GuardedCommand
    /// The file in the folder that has what it says.
    let words: String
    init(_ destination: Destination, _ command: GuardedCommand, _ words: String) {
      (self.destination, self.command, self.words) = (destination, command, words)
    }
  }

  private let destinations: [Destination]
  private let engine: Engine
  private let work: PullWork
  private let isInterrupted: () -> Bool
  /// The name of the archive, asked for when the first command starts.
  private let name: () -> ArchiveName
  private var archive: ArchiveName?
  /// The name of the archive, once a command has started; without the word of a verdict that came later.
  var file: String? { archive?.file }
  /// Whether the commands were let to the end of their input.
  private(set) var isReleased = false
  private var running: [Running] = []
  private var held: [[UInt8]] = []
  private var heldCount = 0
  private(set) var sent: SentBytes
  /// Why a destination has not got the archive, or keeps too many: of the first that it is true of.
  private(set) var fault: String?
  /// Whether one has got it.
  private(set) var hasDelivered = false

  init(
    to destinations: [Destination], _ work: PullWork, isInterrupted: @escaping () -> Bool,
    name: @escaping () -> ArchiveName
  ) {
    self.destinations = destinations
    self.work = work
    self.isInterrupted = isInterrupted
    self.name = name
    engine = Engine(work: work, isInterrupted: isInterrupted)
    sent = SentBytes(forRemotes: destinations.contains { $0.kind == .rclone })
  }

  /// Holds the piece back, and passes on what need not be held any longer.
  ///
  /// - Parameter beside: what else gets the piece now.
  /// - Throws: `PullInterruption`.
  func append(_ piece: [UInt8], beside verifier: OutgoingPipe? = nil) throws {
    sent.append(piece)
    held.append(piece)
    heldCount += piece.count
    var now: [UInt8] = []
    while let first = held.first, heldCount - first.count >= Self.heldByteCount {
      now += first
      heldCount -= first.count
      held.removeFirst()
    }
    try write(now, verifier.map { [($0, piece)] } ?? [])
  }

  private func write(_ bytes: [UInt8], _ others: [(pipe: OutgoingPipe, bytes: [UInt8])] = []) throws {
    if !bytes.isEmpty { start() }
    let parts = bytes.isEmpty ? [] : running.map { (pipe: $0.command.input, bytes: bytes) }
    try OutgoingPipe.write(others + parts, isInterrupted: isInterrupted)
  }

  private func start() {
    guard archive == nil else { return }
    let name = name()
    archive = name
    for (index, destination) in destinations.enumerated() {
      let words = "destination-\(index)"
      destination.prepare(engine)
      do throws(SystemError) {
        // A user's command says what it likes; an engine's words are for its failure.
        let file = try work.makeFile(words)
        let command = try GuardedCommand(
          destination.command(name), destination.variables, name: name.file,
          output: destination.kind == .command ? STDERR_FILENO : file.rawValue)
        running.append(Running(destination, command, words))
      } catch {
        fail(destination, "it cannot be started: \(error)")
      }
    }
  }

  private func fail(_ destination: Destination, _ reason: String) {
    let words = "\(destination.shown): \(printable(destination.withoutPassword(reason)))"
    fault = fault ?? words
    printError("sluice: \(words)")
  }

  /// The archive is not sound: ends all commands before their input ends, and removes what an engine has left.
  func discard() {
    for each in running {
      each.command.kill()
      if isReleased {
        fail(each.destination, "it had not ended when the pull was interrupted, and was killed")
      }
    }
    for each in running { removeRest(each.destination) }
    running = []
  }

  private func removeRest(_ destination: Destination) {
    // A signal may have come: what is left is removed all the same.
    let engine = Engine(work: work, isInterrupted: { false })
    remove(of: destination) { try destination.discard($0, engine) }
  }

  /// Names what is removed.
  private func remove(of destination: Destination, _ remove: (ArchiveName) throws -> String?) {
    guard let archive else { return }
    do {
      guard let left = try remove(archive) else { return }
      printError("sluice: \(destination.shown): removed what was left: \(printable(left))")
    } catch {
      printError(
        "sluice: \(destination.shown): what is left cannot be removed: \(printable(destination.withoutPassword("\(error)")))"
      )
    }
  }

  /// The archive is sound: passes the rest on, and waits until all have it. One that does not end keeps no other from having it.
  ///
  /// - Throws: `PullInterruption`.
  func finish(_ worth: Worth) throws {
    try write(Array(held.joined()))
    held = []
    isReleased = true
    for each in running {
      if case .stalled? = each.command.input.fault { each.command.kill() } else { each.command.release() }
    }
    while !running.isEmpty {
      for each in running {
        guard let outcome = try each.command.outcome() else { continue }
        running.removeAll { $0 === each }
        try finish(each, outcome, worth)
      }
      if isInterrupted() { throw PullInterruption() }
      FileSystem.pause()
    }
  }

  private func finish(_ each: Running, _ outcome: GuardedCommand.Outcome, _ worth: Worth) throws {
    guard let archive else { return }
    if let reason = fault(of: each, outcome) {
      fail(each.destination, reason)
      removeRest(each.destination)
      return
    }
    do { try each.destination.confirm(archive, worth, sent, engine) } catch let failure as Failure {
      fail(each.destination, failure.description)
      removeRest(each.destination)
      return
    }
    hasDelivered = true
    remove(of: each.destination) { try each.destination.sweep($0, engine) }
  }

  /// Why a command has not got the archive; nil if it has.
  private func fault(of each: Running, _ outcome: GuardedCommand.Outcome) -> String? {
    let fault = each.command.input.fault
    if case .stalled? = fault { return "it has taken nothing for an hour, and was killed" }
    guard case .ended(let end, let hasLeftSome) = outcome else {
      return fault == nil
        ? "it has all of the archive, \(GuardedCommand.tooLong), and was killed"
        : "it reads no more, does not end, and was killed"
    }
    if case .system(let error)? = fault { return "\(error)" }
    let said =
      each.destination.kind == .command ? nil : each.destination.fault(in: work.lines(of: each.words))
    switch end {
    case .exited(0) where fault != nil || hasLeftSome:
      return "it ended before it had read all of the archive"
    case .exited(0): return nil
    case .exited(127) where said == nil: return "there is no such command, or it ended with status 127"
    // As the shell has it that waits for it.
    case .exited(let status) where status > 128: return "it was killed by signal \(status - 128)"
    case .exited(let status):
      return said.map { "\($0) (status \(status))" } ?? "it ended with status \(status)"
    case .signalled(let signal): return "it was killed by signal \(signal)"
    }
  }

  /// Removes old archives of the series, by each engine's own rules.
  func retain(_ counts: [(name: String, count: Int)]) throws {
    guard !counts.isEmpty, let archive else { return }
    for destination in destinations {
      do { try destination.retain(counts, after: archive, engine) } catch let failure as Failure {
        fail(destination, "the archive is kept, but old ones cannot be removed: \(failure.description)")
      }
    }
  }
}
