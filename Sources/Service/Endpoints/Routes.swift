package import HTTP1

/// Which path is answered by what.
package struct Routes: RequestHandler {
  private let service: BackupService
  private let allowedHosts: AllowedHosts

  package init(service: BackupService, allowedHosts: AllowedHosts) {
    self.service = service
    self.allowedHosts = allowedHosts
  }

  package func respond(to request: RequestHead, _ response: Response) async throws {
    let isBackup = request.target.path == "/api/backup"
    if service.tokens == nil {
      do { try allowedHosts.check(request, from: response.peer) } catch {
        if isBackup { service.ledger.recordRejected("misdirected") }
        throw error
      }
    }
    switch request.target.path {
    case _ where isBackup:
      do { try service.tokens?.check(request) } catch {
        service.ledger.recordRejected("unauthorized")
        throw error
      }
      try await service.backups.respond(to: request, response)
    case "/healthz":
      let report = await service.health()
      try await response.send(report.status, "application/json", report.content)
    case "/metrics":
      try await response.send(.ok, MetricsReport.mediaType, Array(MetricsReport(of: service).text.utf8))
    default: throw HTTPError(.notFound, "There is nothing here. The backup is at /api/backup.")
    }
  }
}
