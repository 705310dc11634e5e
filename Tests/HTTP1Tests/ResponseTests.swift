import Foundation
import HTTP1
import Testing

struct ResponseTests {
  private func text(_ head: ResponseHead) -> String {
    var bytes: [UInt8] = Array("before ".utf8)
    head.encode(into: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test func `writes a head as RFC 9112 §4 draws it`() {
    var head = ResponseHead(.ok, fields: [FieldLine(name: "Date", value: "x")])
    head.add("X-A", "1")
    head.add("x-a", "2")
    head.add("Empty", "")
    #expect(text(head) == "before HTTP/1.1 200 OK\r\nDate: x\r\nX-A: 1\r\nx-a: 2\r\nEmpty: \r\n\r\n")
    head.set("X-a", "3")
    #expect(text(head) == "before HTTP/1.1 200 OK\r\nDate: x\r\nEmpty: \r\nX-a: 3\r\n\r\n")
    #expect(head.values("x-A") == ["3"])
    #expect(
      text(ResponseHead(.httpVersionNotSupported)) == "before HTTP/1.1 505 HTTP Version Not Supported\r\n\r\n"
    )
  }

  @Test(arguments: ["a\r\nX: b", "a\rb", "a\nb", "a\u{0}b", "é", "a\u{7F}", "\u{1B}[0m"])
  func `traps on a value that could end the line`(_ value: String) async {
    await #expect(processExitsWith: .failure) { [value] in
      _ = FieldLine(name: "X", value: value)
    }
  }

  @Test(arguments: ["", "X:", "X Y", "X\r\n", "é"])
  func `traps on a name that is no token`(_ name: String) async {
    await #expect(processExitsWith: .failure) { [name] in
      _ = FieldLine(name: name, value: "a")
    }
  }

  @Test func `takes every printable value`() async {
    let value = String(decoding: Array(0x20...0x7E) + [0x09] as [UInt8], as: UTF8.self)
    #expect(FieldLine(name: "!#$%&'*+-.^_`|~", value: value).value == value)
  }

  @Test func `encodes any text for a list in a field value`() {
    #expect(FieldLine.percentEncoded("a-b_c.d~9") == "a-b_c.d~9")
    #expect(FieldLine.percentEncoded("a b,c\r\n\u{0}é%\"") == "a%20b%2Cc%0D%0A%00%C3%A9%25%22")
  }

  @Test(arguments: [
    ("spaxel-backup-2024-01-31.zip", "attachment; filename=\"spaxel-backup-2024-01-31.zip\""),
    ("a b.zip", "attachment; filename=\"a b.zip\""),
    ("é.zip", "attachment; filename=\"_.zip\"; filename*=UTF-8''%C3%A9.zip"),
    (
      "a\"b\\c/d;%41.zip",
      "attachment; filename=\"a_b_c_d__41.zip\"; filename*=UTF-8''a%22b%5Cc%2Fd%3B%2541.zip"
    ),
    ("a\r\nX: b", "attachment; filename=\"a__X_ b\"; filename*=UTF-8''a%0D%0AX%3A%20b"),
    ("'*()", "attachment; filename=\"'*__\"; filename*=UTF-8''%27%2A%28%29"),
  ])
  func `names an attachment as RFC 6266 §4.3 does`(_ filename: String, _ value: String) {
    #expect(ContentDisposition.attachment(filename: filename) == value)
    #expect(FieldLine(name: "Content-Disposition", value: value).value == value)
  }

  @Test func `writes a digest as RFC 9530 §3 does`() {
    // The digest of RFC 9530 appendix B.1's content.
    let digest: [UInt8] = [
      0x5f, 0x8f, 0x04, 0xf6, 0xa3, 0xa8, 0x92, 0xaa, 0xab, 0xbd, 0xdb, 0x6c, 0xf2, 0x73, 0x89, 0x44,
      0x93, 0x77, 0x39, 0x60, 0xd4, 0xa3, 0x25, 0xb1, 0x05, 0xfe, 0xe4, 0x6e, 0xef, 0x43, 0x04, 0xf1,
    ]
    let field = ReprDigest.field(sha256: digest)
    #expect(field.name == "Repr-Digest")
    #expect(field.value == "sha-256=:\(Data(digest).base64EncodedString()):")
  }

  @Test func `makes a problem of an error`() throws {
    let error = HTTPError(
      .methodNotAllowed, "Ask with \"GET\".", fields: [FieldLine(name: "Allow", value: "GET, HEAD")])
    let (head, content) = error.response()
    #expect(head.status == .methodNotAllowed)
    #expect(head.values("content-type") == ["application/problem+json"])
    #expect(head.values("Content-Length") == ["\(content.count)"])
    #expect(head.values("Allow") == ["GET, HEAD"])
    let json =
      #"{"type":"about:blank","title":"Method Not Allowed","status":405,"detail":"Ask with \"GET\"."}"#
    #expect(String(decoding: content, as: UTF8.self) == json)
  }

  @Test func `adds members to a problem`() {
    let problem = Problem(
      type: "https://example.com/busy", title: "Busy", status: .serviceUnavailable, detail: "Later.",
      extensions: [
        ("running", .integer(2)), ("names", .array([.string("a"), .null, .bool(true), .bool(false)])),
      ])
    let json = #"""
      {"type":"https://example.com/busy","title":"Busy","status":503,"detail":"Later.",\#
      "running":2,"names":["a",null,true,false]}
      """#
    #expect(String(decoding: problem.encoded(), as: UTF8.self) == json)
  }

  @Test func `writes JSON strings that another reader reads back`() throws {
    var text = "\"\\/\u{7F}\u{2028}é😀\u{FEFF}"
    for value in UInt8(0)..<0x20 { text.unicodeScalars.append(Unicode.Scalar(value)) }
    let encoded = JSONValue.object([(text, .array([.string(text), .integer(.min), .object([])]))]).encoded()
    #expect(!encoded.contains { $0 < 0x20 })
    let object = try #require(try JSONSerialization.jsonObject(with: Data(encoded)) as? [String: [Any]])
    #expect(object.keys.first.map { Array($0.utf8) } == Array(text.utf8))
    #expect((object.values.first?[0] as? String).map { Array($0.utf8) } == Array(text.utf8))
    #expect(object.values.first?[1] as? Int == .min)
  }

  @Test func `gives every status its registered phrase`() {
    let registered: [(Status, Int, String)] = [
      (.ok, 200, "OK"), (.badRequest, 400, "Bad Request"), (.unauthorized, 401, "Unauthorized"),
      (.notFound, 404, "Not Found"), (.methodNotAllowed, 405, "Method Not Allowed"),
      (.requestTimeout, 408, "Request Timeout"), (.contentTooLarge, 413, "Content Too Large"),
      (.uriTooLong, 414, "URI Too Long"), (.expectationFailed, 417, "Expectation Failed"),
      (.misdirectedRequest, 421, "Misdirected Request"),
      (.requestHeaderFieldsTooLarge, 431, "Request Header Fields Too Large"),
      (.internalServerError, 500, "Internal Server Error"), (.notImplemented, 501, "Not Implemented"),
      (.serviceUnavailable, 503, "Service Unavailable"),
      (.httpVersionNotSupported, 505, "HTTP Version Not Supported"),
    ]
    for (status, code, phrase) in registered {
      #expect(status.code == code && status.reasonPhrase == phrase)
    }
  }
}
