import Glibc
import Service
import System

/// The service manager's command, run without a shell.
enum Systemctl {
  /// Whether systemd is what runs this system; see sd_booted(3).
  static var isThere: Bool { unsafe access("/run/systemd/system", F_OK) == 0 }

  /// Runs it to its end; what it prints goes where ours goes.
  ///
  /// - Throws: a `Failure` that names the command, when it does not end with 0.
  static func run(_ arguments: [String]) throws(Failure) {
    let command = (["systemctl"] + arguments).joined(separator: " ")
    let end: ChildProcess.End
    do { end = try ChildProcess.run("systemctl", arguments, variables: { _ in true }) } catch {
      throw Failure(description: "\(command): \(SystemCalls.describe(error.errno))")
    }
    guard end.isSuccess else { throw Failure(description: "\(command) failed; it says why") }
  }
}
