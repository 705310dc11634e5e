/// What one request asks the service for.
package struct FetchRequest: Equatable, Sendable {
  /// The tag of the archive that is kept here: it need not come again, and a delta can begin from it.
  package var base: String?
  /// Whether a delta can be applied here.
  package var takesDelta: Bool
  /// What is here already of an answer that broke off.
  package var part: Part?

  /// The beginning of an answer.
  package struct Part: Equatable, Sendable {
    package var tag: String
    package var delta: DeltaForm?

    package init(tag: String, delta: DeltaForm?) {
      self.tag = tag
      self.delta = delta
    }
  }

  package init(base: String?, takesDelta: Bool, part: Part? = nil) {
    self.base = base
    self.takesDelta = takesDelta
    self.part = part
  }

  /// The same from the first byte.
  var fromTheBeginning: FetchRequest { FetchRequest(base: base, takesDelta: takesDelta) }

  /// The fields of the request's head, but for `Range`.
  package var fields: [String] {
    // A part of an archive is no part of a delta, and the other way round.
    let asksForDelta = part.map { $0.delta != nil } ?? takesDelta
    var fields: [String] = []
    if let base, part == nil || asksForDelta {
      fields.append("If-None-Match: \(base)")
      if asksForDelta { fields.append("A-IM: vcdiff, gzip") }
    }
    if let part { fields.append("If-Range: \(part.tag)") }
    // The digest of the archive comes after its last byte: RFC 9110 §10.1.4.
    return fields + ["TE: trailers"]
  }
}

/// How a delta is written: RFC 3229 §10.5.2.
package struct DeltaForm: Equatable, Sendable {
  package var isGzipped: Bool

  package init(isGzipped: Bool) { self.isGzipped = isGzipped }
}

/// All that came for a request.
package struct Received: Equatable, Sendable {
  /// Of the archive; nil if the answer has none.
  package var tag: String?
  /// nil if the bytes are the archive itself.
  package var delta: DeltaForm?
  /// `Repr-Digest`, of the archive: RFC 9530.
  package var archiveDigest: String?
  /// `Content-Digest`, of the bytes that came.
  package var contentDigest: String?
  /// Whether the service has said that there is no more, and not that this is all of it: RFC 9110 §15.5.17.
  package var mayLackTheEnd = false
}

/// One request and what became of it.
package struct Attempt {
  package enum Next: Equatable {
    case judge(Received)
    /// Nothing has changed since the base.
    case unchanged
    /// - Parameter pause: in seconds, at the least.
    case retry(FetchRequest, pause: Int)
    /// The answer does not fit the base: without it, there is nothing to doubt.
    case fetchWhole(String)
    case fail(Refusal)
  }

  /// Why a further attempt is of no use.
  package enum Refusal: Equatable {
    case answer(Int)
    case curl(CInt)
  }

  package static let maximumCount = 3
  /// In seconds: a service that asks for more patience gets the next run.
  private static let longestPause = 300

  private let request: FetchRequest
  private let exitStatus: CInt
  private let head: AnswerHead?
  private let byteCount: UInt64
  private let number: Int

  /// - Parameters:
  ///   - exitStatus: of curl.
  ///   - head: nil if none came.
  ///   - byteCount: how many bytes of the answer are here now, with those of earlier attempts.
  ///   - number: from 1 on.
  package init(_ request: FetchRequest, exitStatus: CInt, _ head: AnswerHead?, byteCount: UInt64, number: Int)
  {
    self.request = request
    self.exitStatus = exitStatus
    self.head = head
    self.byteCount = byteCount
    self.number = number
  }

  /// What to do next.
  package var next: Next {
    switch (exitStatus, head?.status) {
    case (0, 206) where request.part != nil: afterPart
    case (0, let status?) where request.part == nil: afterAnswer(status)
    // No error to a curl that has a part already, and an error to an older one.
    case (0, 416) where request.part != nil, (22, 416) where request.part != nil:
      .judge(held(mayLackTheEnd: true))
    // Another archive: curl does not write it behind the beginning of this one.
    case (0, _) where request.part != nil, (33, _), (36, _): again(request.fromTheBeginning)
    case (22, 503) where head?["retry-after"] != nil: again(request.fromTheBeginning, pause: retryAfter)
    case (22, let status?): .fail(.answer(status))
    case (7, _), (18, _), (28, _), (52, _), (55, _), (56, _), (92, _): again(resuming)
    default: .fail(.curl(exitStatus))
    }
  }

  private func again(_ request: FetchRequest, pause: Int = 0) -> Next {
    if number < Self.maximumCount { return .retry(request, pause: pause) }
    return .fail(exitStatus == 22 ? .answer(head?.status ?? 0) : .curl(exitStatus))
  }

  /// RFC 9110 §10.2.3; a date counts for nothing.
  private var retryAfter: Int { min(head?["retry-after"].flatMap { Int($0) } ?? 0, Self.longestPause) }

  // MARK: whole answers

  private func afterAnswer(_ status: Int) -> Next {
    switch status {
    case 200: return .judge(received(delta: nil))
    case 304 where request.base != nil: return .unchanged
    case 226 where request.base != nil && request.takesDelta:
      guard head?["delta-base"] == request.base else {
        return .fetchWhole("the delta is one of another archive")
      }
      guard let form = head?.deltaForm else { return .fetchWhole("the delta is of no known form") }
      guard head?.strongTag != nil else { return .fetchWhole("the delta's answer has no strong ETag") }
      return .judge(received(delta: form))
    default: return .fail(.answer(status))
    }
  }

  private func received(delta: DeltaForm?) -> Received {
    Received(
      tag: head?.strongTag, delta: delta, archiveDigest: head?.anywhere("repr-digest"),
      contentDigest: head?.anywhere("content-digest"))
  }

  // MARK: parts

  private var afterPart: Next {
    guard isOfHeldAnswer else { return again(request.fromTheBeginning) }
    var received = held(mayLackTheEnd: false)
    // The digest of the content would be that of the part.
    received.archiveDigest = head?.anywhere("repr-digest")
    return .judge(received)
  }

  /// Whether a part is of the answer whose beginning is here.
  private var isOfHeldAnswer: Bool {
    guard let part = request.part else { return false }
    return head?.strongTag == part.tag && head?.deltaForm == part.delta
      && (part.delta == nil || head?["delta-base"] == request.base)
  }

  private func held(mayLackTheEnd: Bool) -> Received {
    Received(tag: request.part?.tag, delta: request.part?.delta, mayLackTheEnd: mayLackTheEnd)
  }

  /// The request for the rest of a broken answer, or for all of it where that cannot be told.
  private var resuming: FetchRequest {
    // Nothing came: what is here is what was here.
    guard let head else { return request }
    guard byteCount > 0, head["accept-ranges"] == "bytes" || head.status == 206, let tag = head.strongTag
    else {
      return request.fromTheBeginning
    }
    var next = request
    switch head.status {
    case 200 where request.part == nil:
      next.part = FetchRequest.Part(tag: tag, delta: nil)
    case 206 where isOfHeldAnswer: break
    case 226 where request.part == nil && head["delta-base"] == request.base && request.takesDelta:
      guard let deltaForm = head.deltaForm else { return request.fromTheBeginning }
      next.part = FetchRequest.Part(tag: tag, delta: deltaForm)
    default: return request.fromTheBeginning
    }
    return next
  }
}
