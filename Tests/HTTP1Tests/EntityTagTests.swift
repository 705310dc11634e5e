@testable import HTTP1
import Testing

struct EntityTagTests {
  private func tags(_ values: [String]) throws -> EntityTags? {
    let lines = values.map { "If-None-Match: \($0)\r\n" }.joined()
    var parser = RequestParser()
    let request = Array("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n".utf8)
    let head = try #require(try parser.parse(request.span)).head
    return try EntityTags("if-none-match", of: head)
  }

  @Test func `reads what RFC 9110 §8.8.3 and §13.1.2 have for examples`() throws {
    #expect(try tags([]) == nil)
    #expect(try tags(["*"]) == .any)
    #expect(try tags(["\"xyzzy\""]) == .list([EntityTag(strong: "xyzzy")]))
    guard case .list(let weak) = try tags(["W/\"xyzzy\", W/\"r2d2xxxx\"", "\"\",,\"a,b\\\""]) else {
      Issue.record("no list")
      return
    }
    #expect(weak.map(\.text) == ["W/\"xyzzy\"", "W/\"r2d2xxxx\"", "\"\"", "\"a,b\\\""])
    #expect(weak.map(\.isWeak) == [true, true, false, false])
  }

  @Test(arguments: ["", ",", "a", "\"a", "a\"", "w/\"a\"", "W/a", "W/", "\"a\" \"b\"", "*, \"a\"", "\"a b\""])
  func `refuses what is no list of tags`(_ value: String) {
    #expect { try tags([value]) } throws: { ($0 as? HTTPError)?.status == .badRequest }
  }

  @Test(arguments: ["a\"b", "a b", "é", "a\n"])
  func `traps on a tag of ours that is none`(_ opaque: String) async {
    await #expect(processExitsWith: .failure) { [opaque] in _ = EntityTag(strong: opaque) }
  }
}
