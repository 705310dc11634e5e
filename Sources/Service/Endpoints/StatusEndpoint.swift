package import EventLoop
package import HTTP1

/// `GET /` and `GET /status.json`: what a service knows of itself, for people and for programs.
@Loop package struct StatusEndpoint {
  private let service: BackupService

  package init(_ service: BackupService) { self.service = service }

  /// The page. It is whole only once the databases have been listed, which its first request waits for.
  package func sendPage(for request: RequestHead, _ response: Response) async throws {
    response.noteObserver()
    let first = try firstDatabase(request.target)
    let report = await service.statusReport(listsDirectory: true)
    let base = StatusPage.base(of: request, isProxied: response.peer.isLocal)
    let page = StatusPage(report, base: base, user: StatusPage.user(of: request), first: first)
    try await response.send(.ok, StatusPage.mediaType, page.content, StatusPage.fields)
  }

  /// - Throws: 400.
  private func firstDatabase(_ target: RequestTarget) throws(HTTPError) -> Int {
    var first = 0
    for item in target.query {
      guard item.name == "from", item.value.utf8.count <= 9, let number = Int(item.value), number >= 0 else {
        throw HTTPError(
          .badRequest, "The query has from=NUMBER, the first database to show, and nothing else.")
      }
      first = number
    }
    return first
  }

  package func sendDocument(for request: RequestHead, _ response: Response) async throws {
    response.noteObserver()
    let report = await service.statusReport(listsDirectory: try listsDirectory(request.target))
    try await response.send(.ok, StatusReport.mediaType, report.content)
  }

  /// - Throws: 400.
  private func listsDirectory(_ target: RequestTarget) throws(HTTPError) -> Bool {
    var value: Bool?
    for item in target.query {
      guard item.name == "directory", value == nil, item.value == "0" || item.value == "1" else {
        throw HTTPError(.badRequest, "The query has directory=0 or directory=1, and nothing else.")
      }
      value = item.value == "1"
    }
    return value ?? true
  }
}
