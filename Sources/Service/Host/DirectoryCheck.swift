package import Archive
package import EventLoop
package import System

/// Whether the data directory can be read now and has a database: one check for
/// all clients that ask at once, since one that hangs holds a thread.
@Loop package final class DirectoryCheck {
  /// Less than `sluice health` and most monitors wait for an answer.
  private static let timeout = Duration.seconds(3)

  private let options: ArchiveOptions
  private let files: FileAccess
  private var current: Check?

  /// What hinders a backup.
  package enum Problem: Equatable {
    /// None can be made.
    case unreadable(String)
    /// Every one is incomplete.
    case noDatabase

    package var status: String { self == .noDatabase ? "degraded" : "failing" }

    package var detail: String {
      switch self {
      case .unreadable(let detail): detail
      case .noDatabase: DirectoryCheck.noDatabase
      }
    }

    /// In one stable word: see `Advice`.
    package var reason: String { self == .noDatabase ? "no-database" : "data-directory" }
  }

  package nonisolated static let noDatabase =
    "there is no SQLite database, so every backup is incomplete: mount its file system, or serve the right directory"

  private final class Check {
    var isDone = false
    var problem: Problem?
    var space: FileSystemSpace?
    let done = Condition()
  }

  package init(_ options: ArchiveOptions, _ files: FileAccess) {
    self.options = options
    self.files = files
  }

  /// What is wrong with it, nil if nothing is; and how much room it has, if that is known.
  package func result() async -> (problem: Problem?, space: FileSystemSpace?) {
    let check = current ?? begin()
    if !check.isDone { _ = await check.done.wait(until: .now + Self.timeout) }
    guard check.isDone else {
      let detail =
        "\(options.dataDirectory) has not answered within \(Self.timeout): its file system hangs"
      return (.unreadable(detail), nil)
    }
    return (check.problem, check.space)
  }

  private func begin() -> Check {
    let check = Check()
    current = check
    Loop.start { [self] in
      do { check.problem = try await files.findsDatabase(options) ? nil : .noDatabase } catch {
        check.problem = .unreadable("\(error)")
      }
      if check.problem == nil { check.space = await files.space(of: options.dataDirectory) }
      check.isDone = true
      current = nil
      check.done.notify()
    }
    return check
  }
}

/// Reads files for the loop, on a thread of its own: a file system that hangs must not hang the service.
package actor FileAccess {
  private nonisolated let worker: WorkerThread

  package init(named name: String) throws(SystemError) { worker = try WorkerThread(named: name) }

  deinit { worker.stop() }

  package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe worker.asUnownedSerialExecutor() }

  package func findsDatabase(_ options: ArchiveOptions) throws(BackupError) -> Bool {
    try options.findsDatabase()
  }

  fileprivate func space(of directory: String) -> FileSystemSpace? {
    FileSystemSpace(of: BytePath(directory))
  }

  package func tokens(_ source: TokenSource) throws(TokenError) -> Tokens? { try source.read() }
}
