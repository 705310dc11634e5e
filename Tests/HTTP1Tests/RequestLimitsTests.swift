import HTTP1
import Testing

struct RequestLimitsTests {
  let limits = RequestLimits(
    methodLength: 8, targetLength: 16, fieldCount: 4, fieldLineLength: 24, headLength: 96)

  /// Whole and octet by octet, which must agree.
  private func outcome(_ text: String, limits: RequestLimits? = nil) -> Outcome {
    let bytes = RequestVector.octets(text)
    let whole = Outcome(bytes, limits: limits ?? self.limits)
    #expect(Outcome(bytes, lengths: 0...bytes.count, limits: limits ?? self.limits) == whole)
    return whole
  }

  private func a(_ count: Int) -> String { String(repeating: "a", count: count) }

  @Test func `takes a target of just the greatest length`() {
    #expect(outcome("GET /\(a(15)) HTTP/1.1\r\nHost: a\r\n\r\n").head?.target.path.utf8.count == 16)
    #expect(outcome("GET /\(a(16)) HTTP/1.1\r\nHost: a\r\n\r\n").statusCode == 414)
    #expect(outcome("GET /\(a(16))").statusCode == 414, "at once, not at its end")
    #expect(outcome("GET /\(a(15))") == .incomplete)
  }

  @Test func `takes a method of just the greatest length`() {
    #expect(outcome("AAAAAAAA") == .incomplete)
    #expect(outcome("AAAAAAAAA").statusCode == 501)
  }

  @Test func `takes just the greatest number of fields`() {
    let start = "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n"
    #expect(outcome(start + "C: 3\r\n\r\n").head?.fields.count == 4)
    #expect(outcome(start + "C: 3\r\nD: 4\r\n\r\n").statusCode == 431)
    #expect(outcome(start + "C: 3\r\nD").statusCode == 431)
  }

  @Test func `takes a field line of just the greatest length`() {
    let start = "GET / HTTP/1.1\r\nHost: a\r\n"
    #expect(outcome(start + "X: \(a(21))\r\n\r\n").head?.fields.count == 2)
    #expect(outcome(start + "X: \(a(22))\r\n\r\n").statusCode == 431)
    #expect(outcome(start + "X: \(a(22))").statusCode == 431)
    #expect(outcome(start + "X:\(String(repeating: " ", count: 23))\r\n\r\n").statusCode == 431)
    #expect(outcome(start + "\(a(23)):\r\n\r\n").head?.fields.count == 2)
    #expect(outcome(start + "\(a(24)):\r\n\r\n").statusCode == 431)
    #expect(outcome(start + a(24)) == .incomplete)
    #expect(outcome(start + a(25)).statusCode == 431)
  }

  @Test func `takes a head of just the greatest length`() {
    let start = "GET / HTTP/1.1\r\nHost: a\r\nX: \(a(21))\r\nY: \(a(21))\r\n"
    let rest = 96 - start.utf8.count - 2
    #expect(outcome(start + "Z:\(a(rest - 4))\r\n\r\n").head?.fields.count == 4)
    #expect(outcome(start + "Z:\(a(rest - 3))\r\n\r\n").statusCode == 431)
    #expect(outcome(start + "Z:\(a(rest - 4))\r\n") == .incomplete)
    #expect(outcome(start + "Z:\(a(rest - 1))") == .incomplete, "95 octets")
    #expect(outcome(start + "Z:\(a(rest))").statusCode == 431, "96 octets, and no end")
  }

  @Test func `reads the next head with the whole of its limits`() throws {
    let bytes = RequestVector.octets("GET /\(a(15)) HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n")
    var parser = RequestParser(limits: limits)
    for _ in 0..<3 {
      let answer = try parser.parse((bytes + bytes).span)
      #expect(answer?.byteCount == bytes.count)
      #expect(answer?.head.fields.count == 4)
    }
  }

  @Test func `bounds a head by its standard limits`() {
    let standard = RequestLimits.standard
    let start = "GET / HTTP/1.1\r\nHost: a\r\n"
    #expect(outcome("GET /\(a(8191)) HTTP/1.1\r\nHost: a\r\n\r\n", limits: standard).head != nil)
    #expect(outcome("GET /\(a(8192)) HTTP/1.1\r\nHost: a\r\n\r\n", limits: standard).statusCode == 414)
    #expect(outcome(start + "X:\(a(8190))\r\n\r\n", limits: standard).head != nil)
    #expect(outcome(start + "X:\(a(8191))\r\n\r\n", limits: standard).statusCode == 431)
    let lines = String(repeating: "X: y\r\n", count: 63)
    #expect(outcome(start + lines + "\r\n", limits: standard).head?.fields.count == 64)
    #expect(outcome(start + lines + "X: y\r\n\r\n", limits: standard).statusCode == 431)
    let long = "X:\(a(7000))\r\n"
    #expect(outcome(start + long + long + "\r\n", limits: standard).head != nil)
    #expect(outcome(start + long + long + long, limits: standard).statusCode == 431)
  }
}
