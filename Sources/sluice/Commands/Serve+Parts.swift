import Archive
import EventLoop
import Glibc
import HTTP1
import Logging
import Service
import System
import Systemd

/// The parts of a service, from its options.
extension Serve {
  @Loop func service(_ settings: Settings, _ logger: Logger) async throws -> BackupService {
    let limits = TransferRegistry.Limits(
      slotCount: maxBackups, resumeGrace: resumeGrace.value, resumeWALGrowth: resumeWalGrowth.value,
      slotAge: settings.options.maximumSnapshotAge)
    let service = try BackupService(
      settings.options, settings.resources, limits, settings.tokens, logger, .options)
    if let directory = stateDirectory ?? Self.passedStateDirectory {
      await service.ledger.keepState(in: try StateFile(in: directory, logger))
    }
    return service
  }

  @Loop func server(_ service: BackupService, _ settings: Settings) -> Server<Routes> {
    let limits = ConnectionLimits(
      // The other half is for the files of backups.
      connectionCount: min(ConnectionLimits().connectionCount, settings.descriptorLimit / 2),
      stallTimeout: stallTimeout.value)
    let routes = Routes(service: service, allowedHosts: AllowedHosts(allowHost))
    return Server(routes, limits, service.ledger.connections)
  }

  @Loop func listen(
    on sockets: ServiceSockets, isOpen: Bool, _ server: Server<Routes>
  ) async throws(Failure) -> [Listener] {
    do throws(SocketFailure) {
      let listeners = try await sockets.listeners(isOpen: isOpen)
      for listener in listeners { server.serve(listener) }
      return listeners
    } catch {
      throw error.failure
    }
  }

  @Loop func announce(_ listeners: [Listener], _ settings: Settings, _ logger: Logger) {
    let places = listeners.map { Self.url($0.address) }.joined(separator: ", ")
    put("sluice \(version) serves backups of \(archive.content.data) on \(places)\n", STDOUT_FILENO)
    if !settings.hasDatabase {
      let detail = Advice.options.added(to: DirectoryCheck.noDatabase, for: "no-database")
      logger.warning(
        "no database to back up",
        metadata: ["data": "\(settings.options.dataDirectory)", "detail": "\(detail)"])
    }
    if let failure = settings.historyFailure {
      logger.warning(
        "delta histories not opened: every backup is sent whole", metadata: ["detail": "\(failure)"])
    }
    Notify.ready(status: "listening on \(places)")
  }

  private static func url(_ address: SocketAddress) -> String {
    if case .unix = address { return "\(address)" }
    return "http://\(address)"
  }
}
