import System

/// What an archive that is kept is worth.
enum Worth: CaseIterable {
  case whole
  case incomplete
  case unverified

  /// Of the names of files.
  var suffix: String { self == .whole ? "" : "-\(word)" }

  var word: String {
    switch self {
    case .whole: "whole"
    case .incomplete: "incomplete"
    case .unverified: "unverified"
    }
  }

  var said: String { self == .unverified ? "not verified to its end" : word }

  private static let missingPrefix = "not in the archive: "

  /// What `sluice verify` names as missing.
  static func missing(_ lines: [String]) -> [String] {
    lines.filter { $0.utf8.starts(with: missingPrefix.utf8) }.map {
      String($0.dropFirst(missingPrefix.count))
    }
  }

  /// What `sluice verify` has found.
  ///
  /// - Parameters:
  ///   - lines: of its standard output.
  ///   - errors: of its standard error.
  /// - Returns: also what is missing or was not checked.
  /// - Throws: a `Doubt`; a `Failure` if there is no verdict.
  static func found(_ end: ChildProcess.End, _ lines: [String], _ errors: [String]) throws -> (Worth, String)
  {
    switch end {
    case .exited(0): return (.whole, "")
    case .exited(3):
      let missing = missing(lines)
      return (
        .incomplete,
        missing.first.map { "\(missingPrefix)\($0)\(missing.count > 1 ? ", and more" : "")" } ?? ""
      )
    case .exited(4): return (.unverified, lines.first { $0.contains("NOT CHECKED: ") } ?? "")
    case .exited(1), .exited(2):
      let fault = lines.first { $0.contains("DAMAGED: ") || $0.utf8.starts(with: "archive: ".utf8) }
      // A verdict is on the standard output. Without one the archive may be sound: a disk can be full.
      guard let reason = fault ?? lines.last else {
        throw Failure(description: "sluice verify gave no verdict: \(errors.last ?? "\(end)")")
      }
      throw Doubt(reason: reason)
    case .exited, .signalled: throw Failure(description: "sluice verify gave no verdict: \(end)")
    }
  }
}

/// Why an archive, a delta, or its base, is not to be trusted.
struct Doubt: Error {
  let reason: String
}
