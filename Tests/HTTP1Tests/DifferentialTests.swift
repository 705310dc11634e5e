import HTTP1
import Testing

struct DifferentialTests {
  /// Requests of all vectors, and seeded mutations of good ones.
  private static func requests() -> [[UInt8]] {
    var mutator = RequestMutator(seed: 9112)
    return RequestVector.all.map(\.request) + (0..<10_000).map { _ in mutator.request() }
  }

  @Test func `accepts nothing that h11 or httptools refuses or reads otherwise`() throws {
    // Of what we accept, the others see just the octets we took, and must find one whole message in them.
    let questions = Self.requests().map { request -> (octets: [UInt8], head: RequestHead?) in
      guard case .head(let head, let byteCount) = Outcome(request) else { return (request, nil) }
      return (Array(request.prefix(byteCount)), head)
    }
    let answers = try Oracles.ask(questions.map(\.octets))
    var acceptedCount = 0
    var refusedByUsAloneCount = 0
    for (question, answer) in zip(questions, answers) {
      guard let head = question.head else {
        if answer.h11 != nil, answer.httptools != nil { refusedByUsAloneCount += 1 }
        continue
      }
      acceptedCount += 1
      let ours = Oracles.Answer(
        method: head.method.rawValue, target: Array(head.target.text.utf8), fieldCount: head.fields.count)
      let text = String(decoding: question.octets, as: UTF8.self).debugDescription
      #expect(answer.h11?.head == ours, "h11: \(text)")
      // http-parser takes a longer name that begins with Transfer-Encoding for that field, and refuses it.
      let misread = head.fields.contains { $0.name.lowercased().hasPrefix("transfer-encoding") }
      #expect(answer.httptools == ours || (misread && answer.httptools == nil), "httptools: \(text)")
      // Persistence: h11 never goes on after HTTP/1.0; httptools is not asked, because it takes
      // Proxy-Connection for Connection and reads lists in its own way.
      if head.version == .http11 {
        #expect(answer.h11?.keepsAlive == head.keepsAlive, "h11: \(text)")
      }
    }
    // Were few accepted, or none refused, the comparison would say little.
    #expect(acceptedCount > 1500)
    #expect(refusedByUsAloneCount > 1500)
  }

  @Test func `answers mutated requests the same wherever they are split`() {
    for request in Self.requests() {
      let whole = Outcome(request)
      #expect(Outcome(request, lengths: 0...request.count) == whole)
      #expect(Outcome(request, lengths: [request.count / 2, request.count]) == whole)
    }
  }
}
