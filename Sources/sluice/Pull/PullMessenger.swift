import Glibc
import Pull
import System

/// Sends the messages of a pull with curl. One that cannot be sent is a warning: a good backup does not fail by it.
struct PullMessenger {
  /// A place that gets messages, and their form.
  enum Target {
    /// JSON, by POST.
    case notify(NoticeURL)
    /// A dead man's switch: a GET whose path says which.
    case ping(NoticeURL)

    var url: NoticeURL {
      switch self {
      case .notify(let url), .ping(let url): url
      }
    }
  }

  /// More places would only make a pull wait.
  static let maximumTargets = 8
  /// What a pipe holds without a reader: pipe(7).
  private static let maximumConfiguration = 4096

  let targets: [Target]

  /// - Parameter isHurried: whether the system waits for the end of this process, so that nothing is tried twice.
  func send(_ notice: PullNotice, isHurried: Bool = false) {
    for target in targets {
      if let reason = send(notice, to: target, isHurried) {
        printError(
          "sluice: warning: \(printable(target.url.shown)) was not told of the \(notice.event.rawValue): \(reason)"
        )
      }
    }
  }

  /// - Returns: why it was not sent.
  private func send(_ notice: PullNotice, to target: Target, _ isHurried: Bool) -> String? {
    // The URL goes through a pipe: no other process can read it there.
    var lines: [String]
    switch target {
    case .ping(let url): lines = ["url = \(url.pinging(notice.event).quoted)"]
    case .notify(let url):
      lines = ["url = \(url.text.quoted)", "header = \"Content-Type: application/json\""]
      let used = lines.reduce(0) { $0 + $1.utf8.count + 1 }
      lines.append("data-raw = \(notice.json(atMost: Self.maximumConfiguration - used - 20).quoted)")
    }
    let configuration = lines.map { $0 + "\n" }.joined()
    // A redirection is no answer: 47. What is temporary is tried again, and in all it takes less than a minute.
    let arguments = [
      "--silent", "--fail", "--globoff", "--proto", "=http,https", "--location", "--max-redirs", "0",
      "--connect-timeout", "10",
      "--max-time", "10", "--retry", isHurried ? "0" : "2", "--retry-delay", "2", "--output", "/dev/null",
      "--config", "-",
    ]
    let end: ChildProcess.End
    do throws(SystemError) {
      let input = try ChildProcess.pipe(holding: Array(configuration.utf8))
      end = try ChildProcess.run(
        "curl", arguments, ChildProcess.Streams(input: input.rawValue),
        variables: ProgramVariables.plain.include)
    } catch {
      return "curl cannot be run: \(error)"
    }
    return switch end {
    case .exited(0): nil
    case .exited(6): "its name is not known"
    case .exited(7): "there is no connection to it"
    case .exited(22): "its answer is an error of HTTP"
    case .exited(28): "it did not answer in time"
    case .exited(35), .exited(60): "there is no secure connection to it"
    case .exited(47): "its answer is a redirection"
    case .exited(let status): "curl ended with \(status)"
    case .signalled(let signal): "curl was ended by signal \(signal)"
    }
  }
}
