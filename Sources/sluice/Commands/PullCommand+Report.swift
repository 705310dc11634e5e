import ArgumentParser
import Glibc
import Pull
import System

/// Where a pull tells how it ended, also one that was refused or killed.
extension PullCommand {
  func report() -> PullReport { report(in: recordDirectory) }

  private func report(in directory: String?) -> PullReport {
    PullReport(
      PullMessenger(targets: noticeTargets()),
      textfile.map { PullTextfile(file: Textfile(path: $0, labels: [("series", name)])) },
      series: name, directory: directory)
  }

  /// Tells that the pull never began, for what is wrong with its command line or with a setting.
  ///
  /// - Parameter words: of the command line, behind `pull`.
  static func tellOfRefusal(_ error: any Error, _ words: [String]) {
    if words.contains("--ended") {
      tellOfDeath(words)
      // The pull itself has named what is wrong.
      Glibc.exit(EXIT_SUCCESS)
    }
    report(words).end(
      status: Sluice.exitCode(for: error).rawValue, nil, detail: Sluice.message(for: error),
      isInterrupted: false)
  }

  /// Tells of a pull that was killed. Any other has told by itself, also that it was refused.
  static func tellOfDeath(_ words: [String]) {
    if let cause = PullReport.causeOfDeath { report(words).endOfKilled(cause) }
  }

  /// The options that say where a pull tells how it ended.
  private static let tellingOptions = ["--into", "--textfile", "--notify", "--ping"]
  /// Of a name that is wrong, in characters.
  private static let longestName = 100

  /// By the options and settings alone that say where a pull tells, and of these by each that is right by itself.
  private static func report(_ words: [String]) -> PullReport {
    let settings = PullSettings.ofThisProcess()
    let words = settings.tellingOptions + words
    var legible = ["http://localhost/", "--to", "true"]
    guard var command = try? parse(legible) else {
      preconditionFailure("that is a command line of sluice pull")
    }
    for option in tellingOptions {
      for value in words.values(of: option) {
        guard let more = try? parse(legible + ["\(option)=\(value)"]) else { continue }
        (command, legible) = (more, legible + ["\(option)=\(value)"])
      }
    }
    // Without settings, it is a person's command that was mistyped, or cron's, which shows all words: no pull has failed.
    guard settings.isThere else {
      command.textfile = nil
      return command.report(in: nil)
    }
    guard let name = words.values(of: "--name").last else { return command.report() }
    command.name = name
    guard isName(name) else {
      command.name = String(name.prefix(longestName))
      // What is remembered would be of another series.
      command.textfile = nil
      return command.report(in: nil)
    }
    return command.report()
  }

  /// More than a URL has, and its line's end.
  static let maximumNoticeFile = NoticeURL.maximumSize + 2

  /// Where messages go. A file that has no URL is a warning: the backup is not to fail by it.
  private func noticeTargets() -> [PullMessenger.Target] {
    var targets: [PullMessenger.Target] = []
    for (option, values) in [("--notify", notify), ("--ping", ping)] {
      for value in values {
        let text = value.utf8.starts(with: "@".utf8) ? Self.firstLine(of: String(value.dropFirst())) : value
        guard let url = text.flatMap(NoticeURL.init) else {
          printError(
            "sluice: warning: \(option) \(printable(value)): its first line is no URL of http or https")
          continue
        }
        targets.append(option == "--ping" ? .ping(url) : .notify(url))
      }
    }
    return targets
  }

  private static func firstLine(of file: String) -> String? {
    (try? SmallFile.firstLine(of: file, atMost: maximumNoticeFile)).map {
      String(decoding: $0, as: UTF8.self)
    }
  }
}
