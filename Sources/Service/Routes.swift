import EventLoop
package import HTTP1

/// Which path is answered by what.
package struct Routes: RequestHandler {
  package let service: BackupService
  package let allowedHosts: AllowedHosts

  package init(service: BackupService, allowedHosts: AllowedHosts) {
    self.service = service
    self.allowedHosts = allowedHosts
  }

  package func respond(to request: RequestHead, _ response: Response) async throws {
    if service.tokens == nil {
      do { try allowedHosts.check(request, from: response.peer) } catch {
        if request.target.path == "/api/backup" {
          service.metrics.state.counts.rejected["misdirected", default: 0] += 1
        }
        throw error
      }
    }
    switch request.target.path {
    case "/api/backup":
      do { try service.tokens?.check(request) } catch {
        service.metrics.state.counts.rejected["unauthorized", default: 0] += 1
        throw error
      }
      try await service.backup(request, response)
    case "/healthz": try await service.health(response)
    case "/metrics": try await service.metrics(response)
    default: throw HTTPError(.notFound, "There is nothing here. The backup is at /api/backup.")
    }
  }
}
