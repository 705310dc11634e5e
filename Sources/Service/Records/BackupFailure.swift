import Archive
package import Logging
import System

/// How a backup ended.
package enum BackupOutcome: String, Codable, Sendable {
  case complete
  /// Whole, but something was skipped.
  case incomplete
  /// The client asked for some ranges of it, and never for all.
  case ranges
  case failed
}

/// Why a backup was not sent to its end.
package struct BackupFailure: Equatable {
  /// In one stable word for programs.
  package let reason: String
  /// For people.
  package let detail: String

  /// - Parameter isStopping: whether the service broke off what it had not finished.
  package init(_ error: any Error, isStopping: Bool) {
    switch error {
    case BackupError.cancelled where isStopping: (reason, detail) = Self.stopping
    case let error as BackupError: (reason, detail) = (error.reason, "\(error)")
    case let error as SlotTooOld:
      (reason, detail) = (
        "place-age", "it took longer than \(error.limit), and another backup needed its place"
      )
    case let error as SystemError where error.isTimeout:
      (reason, detail) = ("client-stalled", "the client's kernel confirmed no byte for as long as it may")
    case let error as SystemError where error.isCancelled && isStopping:
      (reason, detail) = Self.stopping
    case let error as SystemError where error.isShortage:
      (reason, detail) = ("system", "this machine has no more memory for the connection: \(error)")
    case let error as SystemError: (reason, detail) = ("client-left", "the connection was lost: \(error)")
    default: (reason, detail) = ("internal", "\(error)")
    }
  }

  /// Every reason for which a backup that was begun is not sent to its end: docs/troubleshooting.md lists them.
  package static let reasons = [
    "changed", "client-left", "client-stalled", "data-directory", "internal", "low-space", "place-age",
    "read-error", "snapshot-age", "stopping", "strict", "system", "too-large", "too-many-files",
    "unseen-writer", "wal-growth", "zip",
  ]

  private static let stopping = ("stopping", "it was not finished before the service stopped")

  /// Whether what was asked for cannot be: no backup of ours has failed.
  package var isOfRequest: Bool { ["invalid-name", "unknown-database"].contains(reason) }

  /// What the client did is worth a note; what the service could not do needs the administrator's attention.
  package var level: Logger.Level {
    switch reason {
    case _ where isOfRequest: .notice
    case "client-left", "strict": .notice
    case "client-stalled", "place-age", "stopping", "snapshot-age", "wal-growth", "low-space": .warning
    default: .error
    }
  }
}

/// What an administrator can do about a fact, in the words of the program that runs the service: a library knows no options.
package struct Advice: Sendable {
  private let byReason: [String: String]

  /// - Parameter byReason: such as `"client-stalled": "see --stall-timeout"`.
  package init(_ byReason: [String: String] = [:]) { self.byReason = byReason }

  /// A detail, and the advice for its reason if there is any.
  package func added(to detail: String, for reason: String) -> String {
    byReason[reason].map { "\(detail); \($0)" } ?? detail
  }
}
