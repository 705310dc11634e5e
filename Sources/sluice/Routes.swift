import EventLoop
import HTTP1

/// Which path is answered by what.
struct Routes: RequestHandler {
  let service: BackupService
  /// What opens the backup; nil if it is open to all who reach it.
  let tokens: Tokens?

  func respond(to request: RequestHead, _ response: Response) async throws {
    switch request.target.path {
    case "/api/backup":
      try tokens?.check(request)
      try await service.backup(request, response)
    case "/healthz": try await service.health(response)
    default: throw HTTPError(.notFound, "There is nothing here. The backup is at /api/backup.")
    }
  }
}
