package import EventLoop
import HTTP1
package import Systemd

/// The sockets that a service listens on: those that systemd passes, or its own.
package struct ServiceSockets {
  private static let defaultAddress = "127.0.0.1:8080"

  /// Those that were passed; they are ours to close.
  package let passed: [PassedSocket]
  /// What `--listen` says.
  private let addresses: [String]

  /// - Throws: a `Failure` when what was passed makes no sense, or nothing was that should have been.
  package init(listen: [String]) throws(Failure) {
    do { passed = try listenFDs() } catch { throw Failure(description: error.description) }
    // Beside its socket unit, an address of our own would be one that nobody asked for.
    guard !passed.isEmpty || !listen.isEmpty || !Notify.isExpected else {
      throw Failure(
        description:
          "systemd passed no socket: start the socket unit instead of the service, or give --listen")
    }
    addresses = listen.isEmpty ? [Self.defaultAddress] : listen
  }

  /// Opens all of them.
  ///
  /// A backup is all that an application knows: without a token it is not for everyone on a network.
  /// - Parameter isOpen: whether whoever reaches them gets everything; then only this machine may.
  /// - Throws: a `Failure` that names the socket or the address.
  @Loop package func listeners(isOpen: Bool) async throws(Failure) -> [Listener] {
    guard passed.isEmpty else {
      let (listeners, failure) = adopted(isOpen: isOpen)
      guard let failure else { return listeners }
      await Self.refuse(listeners)
      throw failure
    }
    return try addresses.map { text throws(Failure) in
      guard let address = SocketAddress(service: text) else { throw Failure(description: "--listen \(text)") }
      if isOpen { try Self.checkIsLocal(address, "--listen") }
      do { return try Listener.bind(address) } catch {
        throw Failure(description: "--listen \(text): \(error)")
      }
    }
  }

  /// Takes all over that can be, and answers what is wrong with the first that is wrong.
  @Loop private func adopted(isOpen: Bool) -> ([Listener], Failure?) {
    var listeners: [Listener] = []
    var failure: Failure?
    for socket in passed {
      do {
        let listener = try Listener.adopt(socket.descriptor)
        listeners.append(listener)
        if isOpen { try Self.checkIsLocal(listener.address, "the passed socket") }
      } catch let error as Failure {
        failure = failure ?? error
      } catch {
        failure =
          failure
          ?? Failure(
            description: "the socket \(socket.name) that systemd passed cannot be served: \(error); "
              + "it needs ListenStream= and Accept=no")
      }
    }
    return (listeners, failure)
  }

  private static func checkIsLocal(_ address: SocketAddress, _ what: String) throws(Failure) {
    guard !address.isLocal else { return }
    throw Failure(
      description: "\(what) \(address) can be reached from other machines; give --token-file, or listen on "
        + "127.0.0.1 or a Unix socket and put nginx before it")
  }

  // MARK: a start that failed

  /// Whoever waits already is accepted in less.
  private static let acceptingTime = Duration.milliseconds(100)
  /// How long clients have to take the answer.
  private static let refusalTimeout = Duration.seconds(2)

  /// Tells those who wait at passed sockets that the service cannot start. Left in the queue, they would have systemd
  /// start it again at once, and so on.
  package func refuseAll() {
    guard !passed.isEmpty else { return }
    // There is a better reason to end with than what goes wrong here.
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
