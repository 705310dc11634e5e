import HTTP1
import Testing

/// What came of some octets.
enum Outcome: Equatable {
  case head(RequestHead, byteCount: Int)
  case failure(HTTPError)
  case incomplete

  /// Shows a parser more and more of `bytes`, each of `lengths` once.
  init(_ bytes: [UInt8], lengths: some Sequence<Int>, limits: RequestLimits = .standard) {
    var parser = RequestParser(limits: limits)
    self = .incomplete
    for length in lengths {
      do throws(HTTPError) {
        if let (head, byteCount) = try parser.parse(bytes.span.extracting(0..<length)) {
          self = .head(head, byteCount: byteCount)
          return
        }
      } catch {
        self = .failure(error)
        return
      }
    }
  }

  init(_ bytes: [UInt8], limits: RequestLimits = .standard) {
    self.init(bytes, lengths: [bytes.count], limits: limits)
  }

  init(_ text: String, limits: RequestLimits = .standard) {
    self.init(RequestVector.octets(text), limits: limits)
  }

  var statusCode: Int? {
    if case .failure(let error) = self { error.status.code } else { nil }
  }

  var head: RequestHead? {
    if case .head(let head, _) = self { head } else { nil }
  }
}

struct RequestParserTests {
  @Test(arguments: RequestVector.all)
  func `answers a vector as its specification says`(_ vector: RequestVector) {
    let outcome = Outcome(vector.request)
    switch vector.expectation {
    case .status(let code):
      #expect(outcome.statusCode == code)
    case .head(let method, let version, let path, let query, let fieldCount, let keepsAlive):
      guard case .head(let head, let byteCount) = outcome else {
        Issue.record("not accepted: \(outcome)")
        return
      }
      #expect(head.method == method)
      #expect(head.version == version)
      #expect(head.target.path == path)
      #expect(head.target.query == query)
      #expect(head.fields.count == fieldCount)
      #expect(head.keepsAlive == keepsAlive)
      #expect(byteCount == vector.request.count)
    }
  }

  @Test(arguments: RequestVector.all)
  func `answers the same wherever the octets are split`(_ vector: RequestVector) {
    let bytes = vector.request
    let whole = Outcome(bytes)
    #expect(whole != .incomplete)
    #expect(Outcome(bytes, lengths: 0...bytes.count) == whole, "octet by octet")
    // Long vectors are long in one element; the splits of their first hundreds say it all.
    for split in 0...min(bytes.count, 600) {
      #expect(Outcome(bytes, lengths: [split, bytes.count]) == whole, "split at \(split)")
    }
  }

  @Test(arguments: RequestVector.all)
  func `needs every octet of a head and none behind it`(_ vector: RequestVector) {
    guard case .head(let head, let byteCount) = Outcome(vector.request) else { return }
    for length in 0..<byteCount {
      #expect(Outcome(Array(vector.request.prefix(length))) == .incomplete)
    }
    for next in ["\u{0}", "GET / HTTP/1.1\r\n", "\r\n", " "] {
      let outcome = Outcome(vector.request + RequestVector.octets(next))
      #expect(outcome == .head(head, byteCount: byteCount))
    }
  }

  @Test func `reads pipelined heads one after another`() throws {
    let requests = RequestVector.all.filter { Outcome($0.request).head != nil }.map(\.request)
    var bytes = Array(requests.joined())
    var parser = RequestParser()
    for request in requests {
      let (head, byteCount) = try #require(try parser.parse(bytes.span))
      #expect(Outcome.head(head, byteCount: byteCount) == Outcome(request))
      bytes.removeFirst(byteCount)
    }
    #expect(bytes.isEmpty)
    #expect(try parser.parse(bytes.span) == nil)
  }

  @Test func `keeps names and values as they came`() throws {
    let request =
      "GET /a?b HTTP/1.1\r\nhOsT:a\r\nX-Y:\t 1,  2 \t\r\nx-y: -\r\n"
      + "Cookie: \u{C3}\u{A9}\r\nZ: \u{F6}\r\n\r\n"
    let head = try #require(Outcome(request).head)
    #expect(head.fields.map(\.name) == ["hOsT", "X-Y", "x-y", "Cookie", "Z"])
    #expect(head.fields.map(\.value) == ["a", "1,  2", "-", "é", "\u{FFFD}"])
    #expect(head.values("X-y") == ["1,  2", "-"])
    #expect(head.values("X") == [])
    #expect(head.target.text == "/a?b")
    #expect(head.target.authority == nil)
    #expect(Outcome("GET http://A:8/ HTTP/1.1\r\nHost: a:8\r\n\r\n").head?.target.authority == "A:8")
  }

  @Test func `says which methods it allows`() {
    guard case .failure(let error) = Outcome("POST / HTTP/1.1\r\nHost: a\r\n\r\n") else {
      Issue.record("accepted")
      return
    }
    #expect(error.fields == [FieldLine(name: "Allow", value: "GET, HEAD")])
  }

  @Test func `tells letters from their capitals and nothing else`() {
    let name = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    let field = FieldLine(name: name, value: "")
    #expect(field.isNamed(name.lowercased()))
    for (index, octet) in name.utf8.enumerated() {
      var other = Array(name.utf8)
      // The octet whose sixth bit differs is the same letter, or another sign altogether.
      other[index] = octet ^ 0x20
      let isLetter = UInt8(ascii: "A")...UInt8(ascii: "Z") ~= octet
      #expect(field.isNamed(String(decoding: other, as: UTF8.self)) == isLetter)
    }
    #expect(!field.isNamed(name + "x"))
  }

  @Test func `reads nothing behind an error`() {
    var parser = RequestParser()
    let bad = RequestVector.octets("GET / HTTP/1.1\r\nHost: a\n")
    let good = RequestVector.octets("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    let first = #expect(throws: HTTPError.self) { try parser.parse(bad.span) }
    let second = #expect(throws: HTTPError.self) { try parser.parse(good.span) }
    #expect(first != nil && first == second)
  }

  @Test func `looks at every octet once`() throws {
    var bytes = RequestVector.octets("GET /abc HTTP/1.1\r\nHost: a\r\nX: 123456")
    var parser = RequestParser()
    #expect(try parser.parse(bytes.span) == nil)
    // Whoever looked again at what has been read would see NULs now.
    for index in bytes.indices { bytes[index] = 0 }
    bytes += RequestVector.octets("7\r\n\r\n")
    let (head, byteCount) = try #require(try parser.parse(bytes.span))
    #expect(head.target.text == "/abc")
    #expect(byteCount == bytes.count)
  }
}
