/// What has been read of a head so far, and the judgement of the whole.
///
/// Where several statuses fit, a malformed head is 400 before anything else; then the method, the framing and
/// the expectation are refused, in this order.
struct RequestHeadDraft: Sendable {
  private var method: Result<Method, HTTPError>?
  private var target: Result<RequestTarget, HTTPError>?
  private var version: HTTPVersion?
  var fields: [FieldLine] = []

  /// Takes the first two elements of the request line. What is wrong with them is said at the end of the
  /// line or the head: only there it is known whether this is HTTP/1.x at all.
  mutating func take(method: Span<UInt8>, target: Span<UInt8>) {
    do throws(HTTPError) {
      self.method = .success(try Method(method))
    } catch {
      // `OPTIONS *` and `CONNECT host:port` are well-formed: their targets are not looked at.
      self.method = .failure(error)
      return
    }
    do throws(HTTPError) {
      self.target = .success(try RequestTarget(target))
    } catch {
      self.target = .failure(error)
    }
  }

  /// Takes the version's digits.
  ///
  /// - Throws: `HTTPError` 505 for another version, whose later lines may mean anything; 400 or 421 for a target
  ///   that this version cannot have.
  mutating func take(major: UInt8, minor: UInt8) throws(HTTPError) {
    version = try HTTPVersion(major: major, minor: minor)
    _ = try target?.get()
  }

  /// Judges the whole.
  ///
  /// - Throws: `HTTPError` 400, 405, 413, 417 or 501.
  consuming func finish() throws(HTTPError) -> RequestHead {
    let framing = try FramingFields(fields)
    guard let version, let method else { preconditionFailure("a head ended before its request line") }
    try Self.checkHost(framing.host, version: version, target: try? target?.get())
    try Self.checkContentLength(framing.contentLength)
    let supportedMethod = try method.get()
    guard !framing.hasTransferEncoding else {
      // "A server that receives a request message with a transfer coding it does not understand SHOULD respond
      // with 501 (Not Implemented)": RFC 9112 §6.1.
      throw HTTPError(.notImplemented, "No transfer coding is taken here: send the request without content.")
    }
    guard framing.contentLength?.utf8.allSatisfy({ $0 == UInt8(ascii: "0") }) ?? true else {
      throw HTTPError(.contentTooLarge, "No content is taken here: send the request without any.")
    }
    guard !framing.hasUnknownExpectation else {
      throw HTTPError(.expectationFailed, "The only expectation met here is 100-continue: leave Expect out.")
    }
    guard let target = try target?.get() else {
      preconditionFailure("a supported method came without a target")
    }
    return RequestHead(method: supportedMethod, target: target, version: version, fields: fields)
  }

  /// RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message
  /// that lacks a Host header field and to any request message that contains more than one Host header field
  /// line or a Host header field with an invalid field value."
  private static func checkHost(
    _ host: String?, version: HTTPVersion, target: RequestTarget?
  ) throws(HTTPError) {
    guard let host else {
      if version == .http10 { return }
      throw HTTPError(.badRequest, "An HTTP/1.1 request needs a Host: name the server asked.")
    }
    guard Authority.isWellFormed(host.utf8.span) else {
      throw HTTPError(.badRequest, "The Host must be a name or an address, and at most a port.")
    }
    // "If the target URI includes an authority component, then a client MUST send a field value for Host that
    // is identical to that authority component": RFC 9112 §3.2. Taking one of two names would be a guess.
    if let authority = target?.authority {
      guard authority.equalsIgnoringCase(host) else {
        throw HTTPError(.badRequest, "The Host must be the same as the request target's host and port.")
      }
    }
  }

  /// RFC 9112 §6.3: "If a message is received without Transfer-Encoding and with an invalid Content-Length
  /// header field, then the message framing is invalid and the recipient MUST treat it as an unrecoverable
  /// error". The same section allows to read a list of one repeated number as that number; we do not.
  private static func checkContentLength(_ length: String?) throws(HTTPError) {
    guard let length else { return }
    guard !length.isEmpty, OctetSet.digit.containsAll(of: length.utf8.span) else { throw badContentLength }
  }

  fileprivate static var badContentLength: HTTPError {
    HTTPError(.badRequest, "A Content-Length must be one number in decimal digits, sent once.")
  }
}

/// The fields that say for which host a request is, and where it ends.
private struct FramingFields {
  var host: String?
  var contentLength: String?
  var hasTransferEncoding = false
  var hasUnknownExpectation = false

  /// - Throws: `HTTPError` 400 for a field that may be there once and is there twice.
  init(_ fields: [FieldLine]) throws(HTTPError) {
    for field in fields {
      // One comparison of lengths spares most lines five of names.
      switch field.name.utf8.count {
      case 4 where field.isNamed("Host"):
        guard host == nil else {
          throw HTTPError(.badRequest, "The request has more than one Host: send one.")
        }
        host = field.value
      case 6 where field.isNamed("Expect"):
        // No 100 (Continue) has to be sent later: "MAY omit sending a 100 […] if the framing indicates that
        // there is no content", RFC 9110 §10.1.1, and here it always does.
        if !field.value.equalsIgnoringCase("100-continue") { hasUnknownExpectation = true }
      case 14 where field.isNamed("Content-Length"):
        guard contentLength == nil else { throw RequestHeadDraft.badContentLength }
        contentLength = field.value
      case 17 where field.isNamed("Transfer-Encoding"): hasTransferEncoding = true
      default: break
      }
    }
  }
}
