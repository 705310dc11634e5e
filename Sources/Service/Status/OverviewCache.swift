package import Archive
package import EventLoop
import System

/// What the page and its document show of the data directory: made on a thread, one at a time for all that ask, and shown
/// again until it is too old.
@Loop package final class OverviewCache {
  /// An older one is made again before it is shown: that opens every database once.
  package nonisolated static let maximumAge = Duration.seconds(30)
  /// Less than a person waits for a page.
  private nonisolated static let timeout = Duration.seconds(3)

  /// What is known.
  package struct Known: Sendable {
    /// Nil if there was none yet.
    package var overview: DirectoryOverview?
    /// Why there is none, or none of now.
    package var problem: String?

    package init(overview: DirectoryOverview? = nil, problem: String? = nil) {
      self.overview = overview
      self.problem = problem
    }
  }

  private let options: ArchiveOptions
  private let files: FileAccess
  private let advice: Advice
  private var known = Known()
  private var madeAt: ContinuousClock.Instant?
  private var isBeingMade = false
  private let made = Condition()

  package init(_ options: ArchiveOptions, _ files: FileAccess, _ advice: Advice) {
    self.options = options
    self.files = files
    self.advice = advice
  }

  /// Returns what is known, once it is no older than `maximumAge`; after a while, in any case.
  package func current() async -> Known {
    if isFresh { return known }
    if !isBeingMade { make() }
    let deadline = ContinuousClock.now + Self.timeout
    while isBeingMade, await made.wait(until: deadline) {}
    guard isBeingMade else { return known }
    return Known(
      overview: known.overview,
      problem:
        "\(options.dataDirectory) has not been listed within \(Self.timeout): a database is locked, or its file system hangs"
    )
  }

  private var isFresh: Bool { madeAt.map { ContinuousClock.now - $0 <= Self.maximumAge } ?? false }

  private func make() {
    isBeingMade = true
    Loop.start { [self] in
      do throws(BackupError) { known = Known(overview: try await files.overview(options)) } catch {
        known = Known(problem: advice.added(to: "\(error)", for: error.reason))
      }
      madeAt = .now
      isBeingMade = false
      made.notify()
    }
  }
}

extension FileAccess {
  fileprivate func overview(_ options: ArchiveOptions) throws(BackupError) -> DirectoryOverview {
    // A page must not take the processor from a backup.
    WorkerThread.yieldToOthers()
    return try DirectoryOverview(of: options)
  }
}
