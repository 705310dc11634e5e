package import EventLoop
package import Logging
import System

/// The file that keeps a `ServiceState`: replaced whole, on a thread of its own.
@Loop package final class StateFile {
  /// A state takes a few KiB, and a line for each database: of a path, JSON may make six times as many bytes.
  private nonisolated static let maximumSize = 16 << 20
  private static let name = "state.json"

  private let path: String
  private let files: FileAccess
  private let logger: Logger
  /// What was read or written last.
  private var known: ServiceState?
  /// What is to be written next, while something is being written.
  private var next: ServiceState?
  private var isWriting = false
  private var isFailing = false
  private let written = Condition()

  /// - Throws: `SystemError` when there is no thread for it.
  package init(in directory: String, _ logger: Logger) throws {
    path = "\(directory)/\(Self.name)"
    files = try FileAccess(named: "state")
    self.logger = logger
  }

  /// What an earlier process knew of a data directory; nothing if there was none, or if what it left cannot be read, which
  /// the log says.
  package func read(of dataDirectory: String) async -> ServiceState {
    let directory = await files.canonical(dataDirectory)
    var state = ServiceState(dataDirectory: directory)
    do {
      if let text = try await files.text(path, atMost: Self.maximumSize) {
        state = try ServiceState(text, of: directory)
      }
    } catch {
      logger.warning(
        "state not read: counters and the last complete backup begin again",
        metadata: ["file": "\(printable(path))", "detail": "\(error)"])
    }
    known = state
    return state
  }

  /// Writes it as soon as what is being written has been; of several that wait, only the last is written.
  package func write(_ state: ServiceState) {
    // What cannot be read is not replaced before there is something to say.
    guard state != known else { return }
    known = state
    next = state
    guard !isWriting else { return }
    isWriting = true
    Loop.start { [self] in
      while let state = next {
        next = nil
        do {
          try await files.replace(path, with: state)
          isFailing = false
        } catch {
          known = nil
          // Once is enough until it succeeds again.
          if !isFailing {
            logger.warning(
              "state not written", metadata: ["file": "\(printable(path))", "detail": "\(error)"])
          }
          isFailing = true
        }
      }
      isWriting = false
      written.notify()
    }
  }

  /// Waits until everything has been written, for a while: a file system that hangs must not keep the process.
  package func flush(within timeout: Duration) async {
    let deadline = ContinuousClock.now + timeout
    while isWriting, await written.wait(until: deadline) {}
  }
}

extension FileAccess {
  /// The absolute path without links, as far as it can be told.
  fileprivate func canonical(_ path: String) -> String {
    (try? FileSystem.canonical(BytePath(path)))?.lossyString ?? path
  }

  /// All of a file; nil if there is none.
  fileprivate func text(_ path: String, atMost limit: Int) throws(SmallFile.Failure) -> [UInt8]? {
    do { return try SmallFile.read(path, atMost: limit, isOwn: true) } catch {
      if error.isMissing { return nil }
      throw error
    }
  }

  fileprivate func replace(_ path: String, with state: ServiceState) throws(SystemError) {
    let file = try AtomicFile(replacing: path, through: path + ".partial", isUnique: false)
    try file.append(state.encoded())
    try file.commit()
  }
}
