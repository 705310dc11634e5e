import EventLoop
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
      try authorize(request)
      try await service.backups.respond(to: request, response)
    case "/":
      try authorize(request)
      try await StatusEndpoint(service).sendPage(for: request, response)
    case "/status.json":
      try authorize(request)
      try await StatusEndpoint(service).sendDocument(for: request, response)
    case "/healthz":
      let report = await service.health()
      try await response.send(report.status, "application/json", report.content)
    case "/openapi.json":
      try await response.send(.ok, OpenAPI.mediaType, OpenAPI.content)
    case "/metrics":
      var report = await MetricsReport(of: service)
      report.format = MetricsReport.Format(for: AcceptedMedia(request))
      try await response.send(
        .ok, report.format.mediaType, Array(report.text.utf8), [FieldLine(name: "Vary", value: "Accept")])
    default:
      throw HTTPError(
        .notFound, "There is nothing here. The backup is at /api/backup, and a page about it at /.")
    }
  }

  /// What names databases needs a token, if the service has one.
  ///
  /// - Throws: 401.
  @Loop private func authorize(_ request: RequestHead) throws(HTTPError) {
    do { try service.tokens?.check(request) } catch {
      service.ledger.recordRejected("unauthorized")
      throw error
    }
  }
}
