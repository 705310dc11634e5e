import Testing

@testable import Pull

private let base = "\"old\""
private let tag = "\"new\""

/// What curl writes: the first line has the status, each further one a field.
private func head(_ status: Int, _ fields: String..., trailers: [String] = []) -> AnswerHead? {
  let lines = ["HTTP/1.1 \(status) Reason"] + fields + [""] + trailers + [""]
  return AnswerHead(Array(lines.map { "\($0)\r\n" }.joined().utf8))
}

private let asked = FetchRequest(base: base, takesDelta: true)
private let plain = FetchRequest(base: nil, takesDelta: false)
private let gzipped = DeltaForm(isGzipped: true)
private let delta = ["IM: vcdiff, gzip", "Delta-Base: \(base)", "ETag: \(tag)"]

private func next(
  _ request: FetchRequest, _ exitStatus: CInt, _ head: AnswerHead?, byteCount: UInt64 = 5, number: Int = 1
) -> Attempt.Next {
  Attempt(request, exitStatus: exitStatus, head, byteCount: byteCount, number: number).next
}

private func resumed(_ delta: DeltaForm?) -> FetchRequest {
  FetchRequest(base: base, takesDelta: true, part: FetchRequest.Part(tag: tag, delta: delta))
}

@Suite struct AttemptTests {
  @Test func `takes an archive, with or without a tag`() {
    #expect(next(plain, 0, head(200, "ETag: \(tag)")) == .judge(Received(tag: tag)))
    #expect(next(plain, 0, head(200, "ETag: W/\(tag)")) == .judge(Received(tag: nil)))
    #expect(next(asked, 0, head(200)) == .judge(Received(tag: nil)))
    #expect(
      next(plain, 0, head(200, trailers: ["Repr-Digest: sha-256=:x:"]))
        == .judge(Received(archiveDigest: "sha-256=:x:"))
    )
  }

  @Test func `takes a delta of its own base`() {
    #expect(
      next(
        asked, 0, head(226, delta[0], delta[1], delta[2], trailers: ["Content-Digest: c", "Repr-Digest: r"]))
        == .judge(Received(tag: tag, delta: gzipped, archiveDigest: "r", contentDigest: "c")))
    #expect(
      next(asked, 0, head(226, "im: VCDIFF", delta[1], delta[2]))
        == .judge(Received(tag: tag, delta: DeltaForm(isGzipped: false))))
  }

  @Test(arguments: [
    ["IM: vcdiff", "ETag: \(tag)"],
    ["IM: vcdiff", "Delta-Base: \(tag)", "ETag: \(tag)"],
    ["IM: vcdiff", "Delta-Base: W/\(base)", "ETag: \(tag)"],
    ["IM: vcdiff", "Delta-Base: \(base)"],
    ["IM: vcdiff", "Delta-Base: \(base)", "ETag: W/\(tag)"],
    ["Delta-Base: \(base)", "ETag: \(tag)"],
    ["IM: gzip", "Delta-Base: \(base)", "ETag: \(tag)"],
    ["IM: diffe", "Delta-Base: \(base)", "ETag: \(tag)"],
    ["IM: gzip, vcdiff", "Delta-Base: \(base)", "ETag: \(tag)"],
  ])
  func `fetches the whole where a delta does not fit`(fields: [String]) {
    let head = AnswerHead(
      Array(("HTTP/1.1 226 IM Used\r\n" + fields.map { "\($0)\r\n" }.joined() + "\r\n").utf8))
    guard case .fetchWhole = next(asked, 0, head) else {
      Issue.record("\(fields): \(next(asked, 0, head))")
      return
    }
  }

  @Test func `refuses what was not asked for`() {
    #expect(next(plain, 0, head(226, delta[0], delta[1], delta[2])) == .fail(.answer(226)))
    #expect(next(FetchRequest(base: base, takesDelta: false), 0, head(226)) == .fail(.answer(226)))
    #expect(next(plain, 0, head(304)) == .fail(.answer(304)))
    #expect(next(plain, 0, head(206, "ETag: \(tag)")) == .fail(.answer(206)))
    #expect(next(plain, 0, head(302, "Location: /sign-in")) == .fail(.answer(302)))
  }

  @Test func `knows that nothing has changed`() {
    #expect(next(asked, 0, head(304, "ETag: \(base)")) == .unchanged)
  }

  @Test(arguments: [400, 401, 403, 404, 412, 421, 500, 502, 503, 504])
  func `does not repeat a request that is refused`(status: Int) {
    #expect(next(asked, 22, head(status)) == .fail(.answer(status)))
  }

  @Test func `repeats a request when the service says so`() {
    #expect(next(asked, 22, head(503, "Retry-After: 7")) == .retry(asked, pause: 7))
    #expect(next(asked, 22, head(503, "Retry-After: 99999999")) == .retry(asked, pause: 300))
    #expect(
      next(asked, 22, head(503, "Retry-After: Sat, 28 Nov 2026 03:00:00 GMT")) == .retry(asked, pause: 0))
    #expect(next(asked, 22, head(503, "Retry-After: 7"), number: 3) == .fail(.answer(503)))
  }

  @Test(arguments: [7, 18, 28, 52, 55, 56, 92] as [CInt])
  func `resumes what broke off`(exitStatus: CInt) {
    let whole = head(200, "Accept-Ranges: bytes", "ETag: \(tag)")
    let part = head(226, "Accept-Ranges: bytes", delta[0], delta[1], delta[2])
    #expect(next(asked, exitStatus, whole) == .retry(resumed(nil), pause: 0))
    #expect(next(asked, exitStatus, part) == .retry(resumed(gzipped), pause: 0))
    // Nothing came to the second request, and the beginning is still here.
    #expect(next(resumed(gzipped), exitStatus, nil, number: 2) == .retry(resumed(gzipped), pause: 0))
    #expect(next(asked, exitStatus, whole, number: 3) == .fail(.curl(exitStatus)))
  }

  @Test func `begins again where the rest cannot be told`() {
    #expect(next(asked, 18, nil) == .retry(asked, pause: 0))
    #expect(next(asked, 18, head(200, "ETag: \(tag)")) == .retry(asked, pause: 0))
    #expect(next(asked, 18, head(200, "Accept-Ranges: bytes")) == .retry(asked, pause: 0))
    #expect(next(asked, 18, head(200, "Accept-Ranges: bytes", "ETag: W/\(tag)")) == .retry(asked, pause: 0))
    #expect(
      next(asked, 18, head(200, "Accept-Ranges: bytes", "ETag: \(tag)"), byteCount: 0)
        == .retry(asked, pause: 0))
    #expect(
      next(asked, 18, head(226, "Accept-Ranges: bytes", "IM: vcdiff", "ETag: \(tag)"))
        == .retry(asked, pause: 0))
    // 33: the answer was whole, so it is another archive's.
    #expect(next(resumed(nil), 33, head(200, "ETag: \"third\""), number: 2) == .retry(asked, pause: 0))
    #expect(next(resumed(gzipped), 0, head(200), number: 2) == .retry(asked, pause: 0))
    #expect(next(resumed(gzipped), 0, head(304), number: 2) == .retry(asked, pause: 0))
  }

  @Test func `takes the rest of what broke off`() {
    let part = head(206, "ETag: \(tag)", trailers: ["Repr-Digest: r", "Content-Digest: of the part"])
    #expect(next(resumed(nil), 0, part) == .judge(Received(tag: tag, archiveDigest: "r")))
    let rest = head(206, delta[0], delta[1], delta[2])
    #expect(next(resumed(gzipped), 0, rest) == .judge(Received(tag: tag, delta: gzipped)))
  }

  @Test func `does not join parts of two answers`() {
    #expect(next(resumed(nil), 0, head(206, "ETag: \"third\"")) == .retry(asked, pause: 0))
    #expect(next(resumed(nil), 0, head(206, delta[0], delta[1], delta[2])) == .retry(asked, pause: 0))
    #expect(next(resumed(gzipped), 0, head(206, "ETag: \(tag)")) == .retry(asked, pause: 0))
    #expect(next(resumed(gzipped), 0, head(206, "IM: vcdiff", delta[1], delta[2])) == .retry(asked, pause: 0))
    #expect(next(resumed(gzipped), 18, head(206, "ETag: \(tag)")) == .retry(asked, pause: 0))
  }

  @Test func `judges what is here when nothing comes after it`() {
    let all = Received(tag: tag, delta: gzipped, mayLackTheEnd: true)
    #expect(next(resumed(gzipped), 22, head(416)) == .judge(all))
    #expect(next(resumed(gzipped), 0, head(416)) == .judge(all))
    #expect(next(asked, 22, head(416)) == .fail(.answer(416)))
  }

  @Test func `asks for a delta of the base, and for the rest of either kind`() {
    #expect(plain.fields == ["TE: trailers"])
    #expect(asked.fields == ["If-None-Match: \(base)", "A-IM: vcdiff, gzip", "TE: trailers"])
    #expect(FetchRequest(base: base, takesDelta: false).fields == ["If-None-Match: \(base)", "TE: trailers"])
    #expect(resumed(nil).fields == ["If-Range: \(tag)", "TE: trailers"])
    #expect(
      resumed(gzipped).fields
        == ["If-None-Match: \(base)", "A-IM: vcdiff, gzip", "If-Range: \(tag)", "TE: trailers"])
  }
}

@Suite struct AnswerHeadTests {
  @Test func `the last of several heads counts`() {
    let text = "HTTP/1.1 200 Connection established\r\nETag: \"p\"\r\n\r\nHTTP/2 304 \r\netag:\"a\"\r\n\r\n"
    let head = AnswerHead(Array(text.utf8))
    #expect(head?.status == 304)
    #expect(head?.strongTag == "\"a\"")
  }

  @Test(arguments: ["", "no head\r\n", "HTTP/1.1\r\n", "HTTP/1.1 x\r\n"])
  func `what is no head is none`(text: String) {
    #expect(AnswerHead(Array(text.utf8)) == nil)
  }

  @Test func `a trailer is no field of the head`() {
    let head = head(200, trailers: ["ETag: \"late\"", "Repr-Digest: r"])
    #expect(head?.strongTag == nil)
    #expect(head?.anywhere("repr-digest") == "r")
  }

  @Test(arguments: ["W/\"a\"", "a", "\"", "\"a\"b\"", "\"a b\"", "\"a"])
  func `only a strong tag names bytes`(tag: String) {
    #expect(head(200, "ETag: \(tag)")?.strongTag == nil)
  }
}
