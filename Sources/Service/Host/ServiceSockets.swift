package import EventLoop
import HTTP1
package import System
package import Systemd

/// Why a service cannot listen. What to do about it, only the program that runs the service can say.
package enum SocketFailure: Error {
  /// What systemd passed makes no sense.
  case passed(ListenFDsError)
  /// systemd runs the service, and passed no socket.
  case nonePassed
  case noAddress(String)
  case cannotListen(String, SystemError)
  /// A passed socket is no listening socket of a kind that is served.
  case cannotServe(name: String, SystemError)
  /// Other machines can reach it, and there is no token.
  case reachable(SocketAddress, isPassed: Bool)
}

/// The sockets that a service listens on: those that systemd passes, or its own.
package struct ServiceSockets {
  private static let defaultAddress = "127.0.0.1:8080"

  /// Those that were passed; they are ours to close.
  package let passed: [PassedSocket]
  /// What the administrator gives, or the default.
  private let addresses: [String]

  /// - Parameter listen: the administrator's addresses; none for the default.
  /// - Throws: `passed` or `nonePassed`.
  package init(listen: [String]) throws(SocketFailure) {
    do { passed = try listenFDs() } catch { throw .passed(error) }
    // Beside its socket unit, an address of our own would be one that the administrator has not asked for.
    guard !passed.isEmpty || !listen.isEmpty || !Notify.isExpected else { throw .nonePassed }
    addresses = listen.isEmpty ? [Self.defaultAddress] : listen
  }

  /// Opens all of them.
  ///
  /// A backup is all that an application knows: without a token it is not for everyone on a network.
  /// - Parameter isOpen: whether every client that reaches them gets everything; then only this machine may.
  @Loop package func listeners(isOpen: Bool) async throws(SocketFailure) -> [Listener] {
    guard passed.isEmpty else {
      let (listeners, failure) = adopted(isOpen: isOpen)
      guard let failure else { return listeners }
      await Self.refuse(listeners)
      throw failure
    }
    return try addresses.map { text throws(SocketFailure) in
      guard let address = SocketAddress(service: text) else { throw .noAddress(text) }
      guard !isOpen || address.isLocal else { throw .reachable(address, isPassed: false) }
      do throws(SystemError) { return try Listener.bind(address) } catch {
        throw SocketFailure.cannotListen(text, error)
      }
    }
  }

  /// Takes all over that can be, and answers what is wrong with the first that is wrong.
  @Loop private func adopted(isOpen: Bool) -> ([Listener], SocketFailure?) {
    var listeners: [Listener] = []
    var failure: SocketFailure?
    for socket in passed {
      do throws(SystemError) {
        let listener = try Listener.adopt(socket.descriptor)
        listeners.append(listener)
        if isOpen, !listener.address.isLocal {
          failure = failure ?? .reachable(listener.address, isPassed: true)
        }
      } catch {
        failure = failure ?? .cannotServe(name: socket.name, error)
      }
    }
    return (listeners, failure)
  }

  // MARK: a start that failed

  /// A client that waits already is accepted in less.
  private static let acceptingTime = Duration.milliseconds(100)
  /// How long clients have to take the answer.
  private static let refusalTimeout = Duration.seconds(2)

  /// Tells the clients that wait at passed sockets that the service cannot start. Left in the queue, they would have systemd
  /// start it again at once, and so on.
  package func refuseAll() {
    guard !passed.isEmpty else { return }
    // Ignore errors: the caller already has one to report.
    try? Loop.run { await Self.refuse(adopted(isOpen: false).0) }
  }

  /// The same, once the sockets have been taken over.
  @Loop private static func refuse(_ listeners: [Listener]) async {
    let server = Server(Refusal(), ConnectionLimits())
    for listener in listeners { server.serve(listener) }
    await Loop.sleep(for: acceptingTime)
    await server.drain(timeout: refusalTimeout)
  }

  private struct Refusal: RequestHandler {
    func respond(to request: RequestHead, _ response: Response) async throws {
      throw HTTPError(.serviceUnavailable, "The service could not be started; its log says why.")
    }
  }
}
