import Glibc
import Service
import System

/// The service manager's command, run without a shell.
enum Systemctl {
  /// Whether systemd is what runs this system; see sd_booted(3).
  static var isThere: Bool { unsafe access("/run/systemd/system", F_OK) == 0 }

  /// Runs it to its end; what it prints goes where ours goes.
  ///
  /// The corresponding C function is `posix_spawnp`.
  /// - Throws: a `Failure` that names the command, when it does not end with 0.
  static func run(_ arguments: [String]) throws(Failure) {
    let command = (["systemctl"] + arguments).joined(separator: " ")
    var argv = unsafe (["systemctl"] + arguments).map { unsafe strdup($0) } + [nil]
    defer { unsafe argv.forEach { unsafe free($0) } }
    var process = pid_t()
    let reason = unsafe posix_spawnp(&process, "systemctl", nil, nil, &argv, environ)
    guard reason == 0 else {
      throw Failure(description: "\(command): \(SystemCalls.describe(reason))")
    }
    var status: CInt = 0
    while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
    guard status == 0 else { throw Failure(description: "\(command) failed; it says why") }
  }
}
