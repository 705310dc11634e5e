import Backup
import EventLoop

/// Whether the data directory can be read now: one look for all who ask at once, since one that hangs holds a thread.
@Loop final class DirectoryCheck {
  /// Less than `sluice health`, and most who watch a service, wait for an answer.
  private static let timeout = Duration.seconds(3)

  private let options: ArchiveOptions
  private let files: FileAccess
  private var current: Look?

  private final class Look {
    var isDone = false
    var problem: String?
    let done = Condition()
  }

  init(_ options: ArchiveOptions, _ files: FileAccess) {
    self.options = options
    self.files = files
  }

  /// What is wrong with it; nil if nothing is.
  func problem() async -> String? {
    let look = current ?? begin()
    if !look.isDone { _ = await look.done.wait(until: .now + Self.timeout) }
    guard look.isDone else {
      return "\(options.dataDirectory) has not answered within \(Self.timeout): its file system hangs"
    }
    return look.problem
  }

  private func begin() -> Look {
    let look = Look()
    current = look
    Loop.start { [self] in
      do { try await files.check(options) } catch { look.problem = "\(error)" }
      look.isDone = true
      current = nil
      look.done.notify()
    }
    return look
  }
}

/// Looks at files for the loop, on a thread of its own: a file system that hangs must not hang the service.
actor FileAccess {
  private nonisolated let worker: WorkerThread

  init(named name: String) throws(SystemError) { worker = try WorkerThread(named: name) }

  deinit { worker.stop() }

  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe worker.asUnownedSerialExecutor() }

  func check(_ options: ArchiveOptions) throws(BackupError) { try options.checkDataDirectory() }

  func tokens(_ source: TokenSource) throws -> Tokens? { try source.read() }
}
