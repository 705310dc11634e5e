/// Reads one request head after another from a growing buffer, and refuses whatever is not one by the letter.
///
/// It looks at every octet once, however the octets arrive, and its answer does not depend on how they do.
/// The octets of a head are judged in their order; what concerns the head as a whole (`Host`, framing, method)
/// is judged at its end, by `RequestHeadDraft`. Nothing is repaired: lines end in CRLF alone, no line is
/// folded, no whitespace stands before a colon, and no empty line before the request line. (RFC 9112 §2.2 would
/// have one ignored, for clients that send a stray CRLF after the content of a POST; here no request has content.)
///
/// RFC 9112 §2.2.
package struct RequestParser: Sendable {
  private enum State {
    case method, target, version, requestLineFeed
    case fieldLineStart, fieldName, fieldValue, fieldLineFeed
    case lastLineFeed
  }

  private let limits: RequestLimits
  private var state = State.method
  /// The first octet not looked at yet.
  private var position = 0
  /// Where the line that `position` is in begins.
  private var lineStart = 0
  /// Where the element of the line that `position` is in begins: the method, the target, the name, the value…
  private var elementStart = 0
  private var methodEnd = 0
  private var colon = 0
  private var draft = RequestHeadDraft()
  private var failure: HTTPError?

  /// Begins before the first octet of a head.
  package init(limits: RequestLimits = .standard) {
    self.limits = limits
  }

  /// Goes on reading.
  ///
  /// - Parameter bytes: everything received and not yet consumed. Until a head is answered, each call sees the
  ///   octets of the call before it, and possibly more after them.
  /// - Returns: the head and how many octets it took, to be dropped before the next call; nil if more octets
  ///   are needed.
  /// - Throws: `HTTPError`, as soon as what is there cannot become a valid head, and the same one for ever after:
  ///   nothing behind an error is read as a request. 400, 405, 413, 414, 417, 421, 431, 501 or 505.
  ///
  /// RFC 9112 §2.2.
  package mutating func parse(_ bytes: Span<UInt8>) throws(HTTPError) -> (head: RequestHead, byteCount: Int)?
  {
    precondition(bytes.count >= position, "a head's octets must stay until it is answered")
    if let failure { throw failure }
    do throws(HTTPError) {
      guard try advance(in: bytes, to: min(bytes.count, limits.headLength)) else {
        guard position < limits.headLength else {
          throw HTTPError(
            .requestHeaderFieldsTooLarge,
            "The request's head is longer than \(limits.headLength) octets: send fewer or shorter fields.")
        }
        return nil
      }
      let head = try draft.finish()
      let byteCount = position
      self = RequestParser(limits: limits)
      return (head, byteCount)
    } catch {
      failure = error
      throw error
    }
  }

  /// Steps from element to element until the head ends (true) or the octets do (false).
  private mutating func advance(in bytes: Span<UInt8>, to end: Int) throws(HTTPError) -> Bool {
    while true {
      switch state {
      case .method:
        // request-line = method SP request-target SP HTTP-version CRLF
        position = OctetSet.token.endOfRun(in: bytes, from: position, to: end)
        guard position <= limits.methodLength else {
          throw HTTPError(.notImplemented, "The request's method is not known here: ask with GET or HEAD.")
        }
        guard position < end else { return false }
        guard position > 0, bytes[position] == .space else {
          throw badRequest("The request must begin with a method and one space.")
        }
        methodEnd = position
        begin(.target)

      case .target:
        position = OctetSet.requestTarget.endOfRun(in: bytes, from: position, to: end)
        guard position - elementStart <= limits.targetLength else {
          throw HTTPError(
            .uriTooLong, "The request target is longer than \(limits.targetLength) octets: shorten it.")
        }
        guard position < end else { return false }
        guard position > elementStart, bytes[position] == .space else {
          throw badRequest(
            """
            The request target must be printable ASCII without a fragment, percent-encoded where it is not, \
            with one space before and after it.
            """)
        }
        let target = bytes.extracting(elementStart..<position)
        draft.take(method: bytes.extracting(0..<methodEnd), target: target)
        begin(.version)

      case .version:
        while position < end, position - elementStart < HTTPVersion.byteCount {
          guard HTTPVersion.isWellFormed(bytes[position], at: position - elementStart) else {
            throw badRequest("The request line must end in \"HTTP/1.1\" or \"HTTP/1.0\".")
          }
          position += 1
        }
        guard position < end else { return false }
        guard bytes[position] == .carriageReturn else {
          throw badRequest("The request line must end in CRLF right after the version.")
        }
        try draft.take(major: bytes[position - 3], minor: bytes[position - 1])
        begin(.requestLineFeed)

      case .requestLineFeed, .fieldLineFeed:
        guard position < end else { return false }
        guard bytes[position] == .lineFeed else { throw bareCarriageReturn }
        if state == .fieldLineFeed { try takeFieldLine(in: bytes) }
        begin(.fieldLineStart)
        lineStart = position

      case .fieldLineStart:
        guard position < end else { return false }
        if bytes[position] == .carriageReturn {
          begin(.lastLineFeed)
        } else {
          guard !bytes[position].isOptionalWhitespace else {
            // "A server that receives an obs-fold in a request message […] MUST either reject the message by
            // sending a 400 […] or replace" it: RFC 9112 §5.2.
            throw badRequest("A field line must not begin with whitespace: write every field in one line.")
          }
          guard draft.fields.count < limits.fieldCount else {
            throw HTTPError(
              .requestHeaderFieldsTooLarge,
              "The request has more than \(limits.fieldCount) fields: send fewer.")
          }
          elementStart = position
          state = .fieldName
        }

      case .fieldName:
        // field-line = field-name ":" OWS field-value OWS
        position = OctetSet.token.endOfRun(in: bytes, from: position, to: end)
        try checkFieldLineLength()
        guard position < end else { return false }
        guard position > elementStart, bytes[position] == .colon else {
          // "No whitespace is allowed between the field name and colon": RFC 9112 §5.1.
          throw badRequest(
            "Field line \(draft.fields.count + 1) must begin with a name and, right after it, a colon.")
        }
        colon = position
        begin(.fieldValue)

      case .fieldValue:
        position = OctetSet.fieldValue.endOfRun(in: bytes, from: position, to: end)
        try checkFieldLineLength()
        guard position < end else { return false }
        guard bytes[position] == .carriageReturn else {
          throw badRequest(
            "Field line \(draft.fields.count + 1) must hold no control characters and must end in CRLF.")
        }
        begin(.fieldLineFeed)

      case .lastLineFeed:
        guard position < end else { return false }
        guard bytes[position] == .lineFeed else { throw bareCarriageReturn }
        position += 1
        return true
      }
    }
  }

  /// Moves past one octet and begins the next element after it.
  private mutating func begin(_ next: State) {
    position += 1
    elementStart = position
    state = next
  }

  /// Keeps the line whose CRLF has just been seen.
  private mutating func takeFieldLine(in bytes: Span<UInt8>) throws(HTTPError) {
    let value = bytes.extracting(bytes.trimmingOptionalWhitespace((colon + 1)..<(position - 1)))
    let field = FieldLine(receivedName: bytes.extracting(lineStart..<colon), value: value)
    guard OctetSet.asciiFieldValue.containsAll(of: value) || !field.isInterpreted else {
      throw badRequest("Field line \(draft.fields.count + 1) must be ASCII.")
    }
    draft.fields.append(field)
  }

  private func checkFieldLineLength() throws(HTTPError) {
    guard position - lineStart <= limits.fieldLineLength else {
      throw HTTPError(
        .requestHeaderFieldsTooLarge,
        "Field line \(draft.fields.count + 1) is longer than \(limits.fieldLineLength) octets: shorten it.")
    }
  }

  private func badRequest(_ detail: String) -> HTTPError { HTTPError(.badRequest, detail) }

  private var bareCarriageReturn: HTTPError { badRequest("A line must end in CRLF; a CR stood alone.") }
}
