import HTTP1
import Testing

/// A request as a client sends it: `"GET /api/backup", "Range: bytes=1-"`.
func request(_ line: String, _ fields: String...) throws -> RequestHead {
  try request([line] + fields)
}

func request(_ lines: [String]) throws -> RequestHead {
  var parser = RequestParser()
  let all = ["\(lines[0]) HTTP/1.1", "Host: a"] + lines.dropFirst() + ["", ""]
  return try #require(try parser.parse(Array(all.joined(separator: "\r\n").utf8).span)).head
}
