import Service
import System
import Systemd

extension SocketFailure {
  /// The line for the administrator.
  var failure: Failure {
    switch self {
    case .passed(let error): Failure(description: error.description)
    case .nonePassed:
      Failure(
        description:
          "systemd passed no socket: start the socket unit instead of the service, or give --listen")
    case .noAddress(let text): Failure(description: "--listen \(text)")
    case .cannotListen(let text, let error): Failure(description: "--listen \(text): \(error)")
    case .cannotServe(let name, let error):
      Failure(
        description: "the socket \(name) that systemd passed cannot be served: \(error); "
          + "it needs ListenStream= and Accept=no")
    case .reachable(let address, let isPassed):
      Failure(
        description:
          "\(isPassed ? "the passed socket" : "--listen") \(address) can be reached from other machines; "
          + "give --token-file, or listen on 127.0.0.1 or a Unix socket and put nginx before it")
    }
  }
}
