import Glibc
import Pull
import System

/// Tells of one pull, at its start and at its end: `--notify`, `--ping`, `--textfile`, and the `PullRecord`.
struct PullReport {
  private let messenger: PullMessenger
  private let textfile: PullTextfile?
  private let series: String
  /// For the record; nil if there is no place for it.
  private let directory: String?
  private let start = ContinuousClock.now

  init(_ messenger: PullMessenger, _ textfile: PullTextfile?, series: String, directory: String?) {
    self.messenger = messenger
    self.textfile = textfile
    self.series = series
    self.directory = directory
  }

  func begin() { messenger.send(notice(.start)) }

  /// - Parameters:
  ///   - detail: one line; nil if there is nothing to say.
  ///   - isInterrupted: whether a signal has ended the pull.
  func end(status: Int32, _ kept: PullRun.Kept?, detail: String?, isInterrupted: Bool) {
    if let directory {
      PullRecord.replace(in: directory, of: series, status: status, kept, detail: detail)
    }
    if let textfile {
      do throws(SystemError) {
        try textfile.write(status: status, kept: kept, took: ContinuousClock.now - start)
      } catch {
        printError("sluice: warning: \(printable(textfile.file.path)) cannot be written: \(error)")
      }
    }
    var notice = notice(status == 0 ? .success : .failure)
    notice.exitStatus = status
    notice.kept = kept
    notice.detail = detail
    messenger.send(notice, isHurried: isInterrupted)
  }

  /// Of a pull that was killed or could not be started; it has no status of its own.
  private static let killed: Int32 = 255
  /// The first of the statuses that systemd gives a process that it could not start: systemd.exec(5), "Process Exit Codes".
  private static let firstOfSystemd = 200

  /// What systemd says to `ExecStopPost=` of a pull that could not tell itself; nil of any other: systemd.exec(5).
  static var causeOfDeath: String? {
    let result = variable("SERVICE_RESULT")
    let (code, status) = (variable("EXIT_CODE"), variable("EXIT_STATUS"))
    // A condition of the administrator's that is not met is no failure: ExecCondition= of systemd.service(5).
    guard !["", "success", "exec-condition"].contains(result) else { return nil }
    if code.isEmpty { return "systemd did not start the pull: \(result)" }
    if code == "exited", let status = Int(status), status < firstOfSystemd { return nil }
    return "the pull was ended by systemd or by a signal: \(result), \(code), \(status)"
  }

  private static func variable(_ name: String) -> String {
    unsafe getenv(name).map { unsafe String(cString: $0) } ?? ""
  }

  /// Tells of a pull that could not tell itself.
  func endOfKilled(_ cause: String) {
    printError("sluice: \(printable(cause))")
    end(status: Self.killed, nil, detail: cause, isInterrupted: false)
  }

  private func notice(_ event: PullEvent) -> PullNotice {
    PullNotice(event: event, series: series, host: hostName(), time: Timestamp.now().seconds)
  }
}
