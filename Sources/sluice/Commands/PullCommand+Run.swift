import ArgumentParser
import Glibc
import Pull
import Restore
import Service
import System

extension PullCommand {
  func run() throws {
    let words = Array(CommandLine.arguments.dropFirst(2))
    if ended { return Self.tellOfDeath(words) }
    guard url != nil else {
      let settings = PullSettings.ofThisProcess()
      for name in settings.unknown { printError("sluice: warning: \(name) is no setting of sluice pull") }
      let command: PullCommand
      do { command = try settings.command(words) } catch {
        Self.tellOfRefusal(error, words)
        throw error
      }
      return try command.run()
    }
    let isInterrupted = holdSignals()
    umask(0o077)
    guard let backupURL else { return }
    let curlOptions = Words(curl ?? "").all
    let counts = retention.counts
    let options = PullRun.Options(
      url: backupURL,
      directory: into.map { $0.utf8.starts(with: "/".utf8) ? $0 : "./\($0)" }
        ?? ArchiveArguments.defaultSpoolDirectory,
      series: name, tokenFile: tokenFile ?? Self.credential,
      unixSocket: unixSocket ?? Self.unixSocket(in: curlOptions), curlOptions: curlOptions,
      pause: Int64(pause.value / .milliseconds(1)),
      checkTimeout: checkTimeout.defaultValueDescription, retention: retention.keepOptions,
      tiers: Retention.Rule.allCases.map { ($0.rawValue, counts[$0] ?? 0) }.filter { $0.1 > 0 },
      gone: retention.gone, destinations: destinations.all, recordDirectory: recordDirectory)
    let report = report()
    var place: PullPlace?
    var kept: PullRun.Kept?
    do {
      guard drill == nil || recordDirectory != nil else {
        throw ValidationError(
          "--drill: without --into, no directory remembers the result; run sluice drill --from … --state FILE"
        )
      }
      place = try takePlace(isInterrupted)
      report.begin()
      let (worth, hasFailed) = try pull(options, &kept, isInterrupted)
      // Also if something is missing tonight, or a destination has not got it: an earlier one may be whole.
      do { try drillIfDue(isInterrupted) } catch let failure as Failure where hasFailed {
        throw Failure(description: "\(kept?.detail ?? ""); \(failure)")
      }
      if hasFailed { throw ExitCode(1) }
      switch worth {
      case .whole: break
      case .incomplete: throw ExitCode(3)
      case .unverified: throw ExitCode(4)
      }
    } catch {
      let detail = error is ExitCode ? kept?.detail : "\(error)"
      report.end(
        status: Self.exitCode(for: error).rawValue, kept, detail: detail, isInterrupted: isInterrupted())
      throw error is StreamedPull.Undelivered ? ExitCode.failure : error
    }
    report.end(status: 0, kept, detail: nil, isInterrupted: false)
    // Until here.
    _ = consume place
  }

  private func takePlace(_ isInterrupted: () -> Bool) throws -> PullPlace? {
    guard let atOnce else { return nil }
    do {
      if let place = try PullPlace.take(of: atOnce, isInterrupted: isInterrupted) { return place }
      printError(
        "sluice: warning: --at-once \(atOnce): no place was free for six hours; the pull starts all the same")
    } catch let error as SystemError {
      printError("sluice: warning: --at-once \(atOnce): \(error); the pull starts all the same")
    } catch is PullInterruption {
      throw Failure(description: "interrupted")
    }
    return nil
  }

  /// - Returns: also whether a destination has not got the archive: it was named.
  private func pull(
    _ options: PullRun.Options, _ kept: inout PullRun.Kept?, _ isInterrupted: @escaping @Sendable () -> Bool
  ) throws -> (Worth, Bool) {
    guard into != nil else {
      var pull = try StreamedPull(options, isInterrupted: isInterrupted)
      defer { kept = pull.kept }
      return try pull.run()
    }
    var run = try PullRun(options, isInterrupted: isInterrupted)
    defer { kept = run.kept }
    return (try run.run(), run.hasFailed)
  }

  /// The socket that curl connects to by options of its own.
  private static func unixSocket(in options: [String]) -> String? {
    Array(zip(options, options.dropFirst())).last { $0.0 == "--unix-socket" }?.1
  }

  /// What systemd passes as `token`: systemd.exec(5), "Credentials".
  private static var credential: String? {
    guard let directory = unsafe getenv("CREDENTIALS_DIRECTORY").map({ unsafe String(cString: $0) }) else {
      return nil
    }
    let path = "\(directory)/token"
    return unsafe access(path, F_OK) == 0 ? path : nil
  }
}
