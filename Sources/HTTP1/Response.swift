package import EventLoop
import Glibc
package import System

/// The answer to one request, to be sent whole or piece by piece.
@Loop package struct Response {
  private let connection: Connection
  private let request: RequestHead

  init(_ connection: Connection, to request: RequestHead) {
    self.connection = connection
    self.request = request
  }

  /// Where the client is.
  package var peer: SocketAddress { connection.peer }

  /// How many bytes of the answer the other end has not confirmed.
  package var unacknowledged: Int { connection.unacknowledged }

  /// Says that the request comes from a page that a person has open and that asks again and again. Such requests do not
  /// count as use when the server waits for quiet, and their connection ends with the answer.
  package func noteObserver() { connection.noteObserver() }

  /// Ends every operation on the connection: the client sees it reset.
  package func breakOff() { connection.cancel() }

  /// Whether that has been done: what writes nothing meanwhile sees it by no other way.
  package var isBrokenOff: Bool { connection.isCancelled }

  /// Sends a whole answer; its content is left out if the request was for the head alone.
  ///
  /// - Throws: `SystemError` when the client takes it no further.
  package func send(
    _ status: Status, _ mediaType: String, _ content: [UInt8], _ fields: [FieldLine] = []
  ) async throws(SystemError) {
    var head = ResponseHead(status)
    head.add("Content-Type", mediaType)
    head.add("Content-Length", "\(content.count)")
    head.add("Cache-Control", "no-store")
    head.fields += fields
    try await connection.send(head, content, isHeadRequest: request.method == .head)
  }

  /// Sends an answer whose status leaves no place for content: 304.
  ///
  /// - Throws: `SystemError` when the client takes it no further.
  package func send(_ head: ResponseHead) async throws(SystemError) {
    try await connection.send(head, [], isHeadRequest: true)
  }

  /// Sends the head of an answer whose content follows.
  ///
  /// - Parameter contentLength: in bytes, if it is known; else the content is chunked (RFC 9112 §7.1). For a client of HTTP/1.0, it
  ///   must be known.
  /// - Returns: what takes the content; nil if the request was for the head alone.
  /// - Throws: `SystemError` when the client takes it no further.
  package func begin(_ head: ResponseHead, contentLength: UInt64?) async throws(SystemError) -> BodyWriter? {
    try await connection.begin(head, contentLength: contentLength)
    return request.method == .head ? nil : BodyWriter(connection)
  }
}

/// Takes an answer's content as fast as the client does. One that is dropped before `finish` breaks the
/// connection off.
@Loop package struct BodyWriter: ~Copyable {
  private let connection: Connection

  init(_ connection: Connection) { self.connection = connection }

  /// Sends the bytes of all the pieces; returns when the socket has taken the last.
  ///
  /// - Throws: `SystemError` when the client takes it no further: `ETIMEDOUT` after the stall timeout.
  package mutating func write(_ pieces: [[UInt8]]) async throws(SystemError) {
    try await connection.write(pieces)
  }

  /// Says that the content is whole.
  ///
  /// - Parameter trailers: fields after chunked content, to be announced in the head by `Trailer` and sent only to a
  ///   client that takes them (`RequestHead.takesTrailers`). RFC 9110 §6.5.
  /// - Throws: `SystemError` when the client takes it no further; `contentTooShort` when less was written than was announced:
  ///   then the connection is broken off.
  package consuming func finish(trailers: [FieldLine] = []) async throws(SystemError) {
    try await connection.finish(trailers)
  }
}

extension SystemError {
  /// The content was shorter than its head has announced.
  package static let contentTooShort = SystemError(call: "less content than announced", errno: EPROTO)
}
