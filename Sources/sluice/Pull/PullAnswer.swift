import Glibc
import Pull

/// What an answer of a service that is no backup means.
enum PullAnswer {
  struct Request {
    let url: BackupURL
    let tokenFile: String?
    let unixSocket: String?
  }

  /// Of an answer that a retry does not change, or of a transfer that failed.
  ///
  /// - Parameter said: what curl says.
  static func failure(_ request: Request, _ refusal: Attempt.Refusal, _ said: String) -> Failure {
    let url = request.url.shown
    switch (refusal, request.tokenFile) {
    case (.answer(401), nil):
      return Failure(
        description: "\(url): 401: the service needs a token: give a file that has it with --token-file")
    case (.answer(401), let file?):
      return Failure(description: "\(url): 401: the token in \(file) is not one of the service's")
    case (.answer(403), _):
      return Failure(description: "\(url): 403: a proxy before the service refuses this client")
    case (.answer(404), _):
      return Failure(
        description: "\(url): 404: there is no backup at this path; the path of sluice is /api/backup")
    case (.answer(421), _):
      return Failure(
        description:
          "\(url): 421: the service does not answer to this host name: see --allow-host of sluice serve")
    case (.answer(let status), _) where status < 400:
      return Failure(description: "\(url): \(status): the answer is no backup")
    case (.answer(let status), _): return Failure(description: "\(url): \(status): \(said)")
    case (.curl(7), _):
      if let socket = request.unixSocket, let reason = whyUnusable(socket) {
        return Failure(description: "--unix-socket \(socket): \(reason)")
      }
      return Failure(description: "\(url): \(said)")
    case (.curl(let status), _):
      return Failure(description: "\(url): \(said.isEmpty ? "curl failed with status \(status)" : said)")
    }
  }

  /// curl only says that it could not connect.
  private static func whyUnusable(_ socket: String) -> String? {
    guard unsafe access(socket, F_OK) == 0 else {
      return "there is no such socket, or this user may not enter its directory"
    }
    return unsafe access(socket, W_OK) == 0
      ? nil : "no permission for the socket: add this user to its group (ls -l shows it)"
  }
}
