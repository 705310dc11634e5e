@testable import HTTP1
import Testing

struct ByteRangeTests {
  private func range(_ lines: String, _ method: String = "GET") throws -> ByteRange? {
    var parser = RequestParser()
    let request = Array("\(method) / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n".utf8)
    return ByteRange(of: try #require(try parser.parse(request.span)).head)
  }

  @Test(arguments: [
    ("0-", 0), ("9500-", 9500), ("007-", 7), ("5-9007199254740991", 5), ("5-99999999999999999", 5),
    ("9223372036854775807-", 9_223_372_036_854_775_807),
  ])
  func `reads what asks for the rest`(_ text: String, _ first: UInt64) throws {
    #expect(try range("Range: bytes=\(text)\r\n")?.first == first)
    #expect(try range("range: BYTES=\(text)\r\n")?.first == first)
    #expect(try range("Range: bytes=\(text)\r\n", "HEAD") == nil)
  }

  @Test(arguments: [
    "bytes=0-499", "bytes=-500", "bytes=5", "bytes=", "bytes=-", "bytes=1-,3-", "bytes=1-, 3-4", "bytes 1-",
    "pages=1-",
    "bytes=+1-", "bytes=1 -", "bytes=0x1-", "bytes=٣-", "bytes=9223372036854775808-",
    "bytes=99999999999999999999999-",
    "bytes=1--", "bytes=1-x",
  ])
  func `ignores any other`(_ value: String) throws {
    #expect(try range("Range: \(value)\r\n") == nil)
  }

  @Test func `ignores two fields, and none`() throws {
    #expect(try range("Range: bytes=1-\r\nRange: bytes=1-\r\n") == nil)
    #expect(try range("") == nil)
  }

  @Test func `says what is sent`() throws {
    let range = try #require(try range("Range: bytes=9500-\r\n"))
    #expect(range.contentRange(of: 10000).value == "bytes 9500-9999/10000")
    #expect(range.contentRange(of: nil).value == "bytes 9500-9007199254740991/*")
    #expect(ByteRange.unsatisfied(length: 10000).value == "bytes */10000")
  }
}
