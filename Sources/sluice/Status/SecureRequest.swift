import Glibc
import Pull
import System

/// The same question as `ServiceRequest` through TLS, which curl speaks.
struct SecureRequest {
  /// Without a slash at its end.
  private let base: String

  /// Reads a URL `https://HOST/` with a port and a path or without.
  ///
  /// - Parameter lastNames: as for `ServiceRequest`.
  init?(_ text: String, lastNames: Set<String>) {
    guard text.utf8.starts(with: "https://".utf8), BackupURL(text, isWhole: true) != nil, !text.contains("?")
    else { return nil }
    var names = text.split(separator: "/", omittingEmptySubsequences: true)
    guard names.count > 1 else { return nil }
    if names.count > 2, let last = names.last, lastNames.contains(String(last)) { names.removeLast() }
    base = "https://" + names.dropFirst().joined(separator: "/")
  }

  enum Failure: Error, CustomStringConvertible {
    case system(SystemError)
    case noCurl
    case curl(String)

    var description: String {
      switch self {
      case .system(let error): "\(error)"
      case .noCurl: "curl is not installed, which https needs"
      case .curl(let text): text
      }
    }
  }

  /// What curl says at its end: the status, the bytes of the content, and what went wrong.
  private static let report = "%{stderr}%{http_code} %{size_download} %{errormsg}"
  private static let maximumReportSize = 4096

  /// Asks once; blocks.
  func answer(
    to target: String, token: String?, atMost limit: Int, timeout: Duration
  ) throws(Failure) -> ServiceRequest.Answer {
    do {
      // No longer than the limit, whatever comes.
      let content = try SystemCalls.memoryFile(byteCount: limit)
      let output = try SystemCalls.memoryFile(byteCount: Self.maximumReportSize)
      let input = try ChildProcess.pipe(holding: Array(settings(target, token).utf8))
      let end = try ChildProcess.run(
        "curl",
        [
          "--silent", "--globoff", "--proto", "=https", "--max-time",
          "\(Double(timeout / .milliseconds(1)) / 1000)",
          "--write-out", Self.report, "--config", "-",
        ],
        ChildProcess.Streams(
          input: input.rawValue,
          output: content.rawValue, error: output.rawValue), variables: ProgramVariables.plain.include)
      let bytes = try output.read(Self.maximumReportSize, at: 0).prefix { $0 != 0 }
      let words = String(decoding: bytes, as: UTF8.self).split(
        separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
      guard end.isSuccess, words.count == 3, let status = Int(words[0]), let size = Int(words[1]) else {
        throw Failure.curl(words.count == 3 ? String(words[2]) : "curl ended without a word")
      }
      return ServiceRequest.Answer(status: status, content: try content.read(size, at: 0))
    } catch let failure as Failure {
      throw failure
    } catch let error as SystemError {
      throw error.call == "posix_spawnp" && error.errno == ENOENT ? .noCurl : .system(error)
    } catch { fatalError("no other error") }
  }

  /// What must not stand in a list of processes.
  private func settings(_ target: String, _ token: String?) -> String {
    let header = token.map { "header = \("Authorization: Bearer \($0)".quoted)\n" } ?? ""
    return "url = \((base + target).quoted)\n\(header)"
  }
}
