@testable import HTTP1
import Testing

struct ByteRangeTests {
  private func range(_ lines: String, _ method: String = "GET") throws -> ByteRange? {
    var parser = RequestParser()
    let request = Array("\(method) / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n".utf8)
    return ByteRange(of: try #require(try parser.parse(request.span)).head)
  }

  @Test(
    arguments: [
      ("0-", .from(0)), ("9500-", .from(9500)), ("007-", .from(7)), ("5-9007199254740991", .from(5)),
      ("5-9007199254740990", .closed(5...9_007_199_254_740_990)),
      ("5-9223372036854775807", .from(5)), ("9223372036854775807-", .from(9_223_372_036_854_775_807)),
      ("0-499", .closed(0...499)), ("9-9", .closed(9...9)), ("-500", .suffix(500)), ("-0", .suffix(0)),
    ] as [(String, ByteRange)])
  func `reads one range`(_ text: String, _ expected: ByteRange) throws {
    #expect(try range("Range: bytes=\(text)\r\n") == expected)
    #expect(try range("range: BYTES=\(text)\r\n") == expected)
    #expect(try range("Range: bytes=\(text)\r\n", "HEAD") == nil)
  }

  @Test(arguments: [
    "bytes=5", "bytes=", "bytes=-", "bytes=,", "bytes=1-,x", "bytes=3 4,5-", "bytes 1-", "pages=1-",
    "bytes=+1-", "bytes=1 -", "bytes=0x1-", "bytes=9223372036854775808-", "bytes=2-1",
    "bytes=--1",
    "bytes=99999999999999999999999-", "bytes=1-99999999999999999999999", "bytes=1--", "bytes=1-x",
    "bytes=x-1",
  ])
  func `ignores any other`(_ value: String) throws {
    #expect(try range("Range: \(value)\r\n") == nil)
  }

  @Test(
    arguments: [
      ("1-,3-", .from(1)), ("7-9, 3-4", .closed(7...9)), ("-5,-6", .suffix(5)), (", ,4- \t,", .from(4)),
    ] as [(String, ByteRange)])
  func `takes the first of several`(_ text: String, _ expected: ByteRange) throws {
    #expect(try range("Range: bytes=\(text)\r\n") == expected)
  }

  @Test func `knows which ranges begin with the first byte`() {
    #expect(ByteRange.from(0).isFromStart && ByteRange.closed(0...5).isFromStart)
    #expect(!ByteRange.from(1).isFromStart && !ByteRange.closed(1...5).isFromStart)
    #expect(!ByteRange.suffix(5).isFromStart)
  }

  @Test func `ignores two fields, and none`() throws {
    #expect(try range("Range: bytes=1-\r\nRange: bytes=1-\r\n") == nil)
    #expect(try range("") == nil)
  }

  @Test func `finds the positions`() {
    #expect(ByteRange.from(3).positions(in: 10) == 3..<10)
    #expect(ByteRange.from(10).positions(in: 10) == 10..<10)
    #expect(ByteRange.from(.max).positions(in: 10) == 10..<10)
    #expect(ByteRange.closed(3...5).positions(in: 10) == 3..<6)
    #expect(ByteRange.closed(3...99).positions(in: 10) == 3..<10)
    #expect(ByteRange.closed(10...99).positions(in: 10)?.isEmpty == true)
    #expect(ByteRange.suffix(3).positions(in: 10) == 7..<10)
    #expect(ByteRange.suffix(99).positions(in: 10) == 0..<10)
    #expect(ByteRange.suffix(0).positions(in: 10)?.isEmpty == true)
  }

  @Test func `finds the positions in what has no length yet`() {
    #expect(ByteRange.from(3).positions(in: nil) == 3..<9_007_199_254_740_992)
    #expect(ByteRange.from(1 << 60).positions(in: nil)?.isEmpty == true)
    #expect(ByteRange.closed(3...5).positions(in: nil) == nil)
    #expect(ByteRange.suffix(3).positions(in: nil) == nil)
  }

  @Test func `says what is sent`() {
    #expect(ByteRange.content(9500..<10000, of: 10000).value == "bytes 9500-9999/10000")
    #expect(ByteRange.content(9500..<1 << 53, of: nil).value == "bytes 9500-9007199254740991/*")
    #expect(ByteRange.unsatisfied(length: 10000).value == "bytes */10000")
  }
}
