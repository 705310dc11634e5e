import EventLoop
import Service
import System

/// One question to a running service, and its whole answer.
struct ServiceRequest {
  /// Where it listens.
  let address: SocketAddress
  /// What stands before the service's own paths: empty, or `/sluice` behind a proxy.
  let prefix: String

  /// Reads `HOST:PORT`, `[IPV6]:PORT`, `unix:PATH`, or a URL `http://HOST:PORT/` with a path or without.
  ///
  /// - Parameter lastNames: the last names of a path that mean the service itself, such as `status.json`; nil if a path is
  ///   ignored.
  init?(_ text: String, lastNames: Set<String>? = nil) {
    let bytes = Array(text.utf8)
    let scheme = Array("http://".utf8)
    guard bytes.starts(with: scheme) else {
      guard let address = SocketAddress(service: text) else { return nil }
      (self.address, prefix) = (address, "")
      return
    }
    let authority = bytes.dropFirst(scheme.count).prefix { $0 != UInt8(ascii: "/") }
    guard let address = SocketAddress(service: String(decoding: scheme + authority, as: UTF8.self)) else {
      return nil
    }
    guard let lastNames else {
      (self.address, prefix) = (address, "")
      return
    }
    var names = bytes.dropFirst(scheme.count + authority.count).split(separator: UInt8(ascii: "/"))
      .map { String(decoding: $0, as: UTF8.self) }
    if let last = names.last, lastNames.contains(last) { names.removeLast() }
    // A path goes into the request as it is.
    guard names.allSatisfy({ $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f } }) else { return nil }
    (self.address, prefix) = (address, names.map { "/\($0)" }.joined())
  }

  enum Failure: Error, CustomStringConvertible {
    case system(SystemError)
    case noSluice
    case cutOff

    var description: String {
      switch self {
      case .system(let error): "\(error)"
      case .noSluice: "it answers, but it is no sluice"
      case .cutOff: "its answer was cut off"
      }
    }
  }

  struct Answer {
    let status: Int
    let content: [UInt8]
  }

  /// Asks once; blocks.
  func answer(
    to target: String, token: String? = nil, atMost limit: Int, timeout: Duration
  ) throws(Failure) -> Answer {
    let bytes: [UInt8]
    do {
      bytes = try Loop.run { try await ask(target, token, atMost: limit, until: .now + timeout) }
    } catch {
      throw (error as? SystemError).map(Failure.system) ?? .noSluice
    }
    // RFC 9112 §4: HTTP-version SP status-code SP; the content follows the empty line.
    let end = Array("\r\n\r\n".utf8)
    guard bytes.starts(with: "HTTP/1.1 ".utf8),
      let headEnd = bytes.indices.first(where: { bytes[$0...].starts(with: end) }),
      let status = Int(String(decoding: bytes.dropFirst(9).prefix(3), as: UTF8.self))
    else { throw .noSluice }
    let content = Array(bytes[(headEnd + end.count)...])
    let head = String(decoding: bytes[..<headEnd], as: UTF8.self)
    let length = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
      .flatMap { Int($0.dropFirst(15).filter { $0 != " " }) }
    guard length == content.count else { throw .cutOff }
    return Answer(status: status, content: content)
  }

  @Loop private func ask(
    _ target: String, _ token: String?, atMost limit: Int, until deadline: ContinuousClock.Instant
  ) async throws(SystemError) -> [UInt8] {
    let socket = try await Socket.connect(to: address, until: deadline)
    let credentials = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
    let request =
      "GET \(prefix)\(target) HTTP/1.1\r\nHost: localhost\r\n\(credentials)Connection: close\r\n\r\n"
    try await socket.send([Array(request.utf8)], stallTimeout: ContinuousClock.now.duration(to: deadline))
    var answer: [UInt8] = []
    while answer.count < limit {
      let bytes = try await socket.receive(until: deadline)
      guard !bytes.isEmpty else { break }
      try socket.consume(bytes.count)
      answer += bytes
    }
    return answer
  }
}
