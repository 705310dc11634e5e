import System
import Foundation

/// Two parsers by other people, asked about many requests in one run of Python.
///
/// Debian packages `python3-h11` and `python3-httptools`; the latter wraps Node's http-parser, or in later versions
/// its successor llhttp.
enum Oracles {
  /// What an oracle made of a request.
  struct Answer: Equatable {
    var method: String
    var target: [UInt8]
    var fieldCount: Int
  }

  struct Answers {
    /// Nil: refused, or not one whole message without content.
    var h11: (head: Answer, keepsAlive: Bool)?
    var httptools: Answer?
  }

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Reads a request in hexadecimal from each line of a file and writes a line of JSON for each.
  private static let script = """
    import json, sys
    import h11, httptools

    def ask_h11(data):
        connection = h11.Connection(h11.SERVER)
        try:
            connection.receive_data(data)
            event = connection.next_event()
            if not isinstance(event, h11.Request):
                return None
            if not isinstance(connection.next_event(), h11.EndOfMessage):
                return None
        except h11.RemoteProtocolError:
            return None
        # Once it is answered, h11 knows whether another request may follow.
        connection.send(h11.Response(status_code=404, headers=[("content-length", "0")]))
        connection.send(h11.EndOfMessage())
        keep = connection.our_state is h11.DONE
        return [event.method.decode(), event.target.hex(), len(event.headers), keep]

    class Seen:
        def __init__(self):
            self.url, self.fields, self.done = b"", 0, False
        def on_url(self, url): self.url += url
        def on_header(self, name, value): self.fields += 1
        def on_message_complete(self): self.done = True

    def ask_httptools(data):
        seen = Seen()
        parser = httptools.HttpRequestParser(seen)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError:
            return None
        if not seen.done:
            return None
        return [parser.get_method().decode(), seen.url.hex(), seen.fields]

    with open(sys.argv[1]) as requests, open(sys.argv[2], "w") as answers:
        for line in requests:
            data = bytes.fromhex(line.strip())
            answers.write(json.dumps([ask_h11(data), ask_httptools(data)]) + "\\n")
    """

  /// Asks both about each request.
  static func ask(_ requests: [[UInt8]]) throws -> [Answers] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "http1-oracles-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let input = folder.appending(path: "requests")
    let output = folder.appending(path: "answers")
    let program = folder.appending(path: "oracles.py")
    try Data(script.utf8).write(to: program)
    try Data(requests.map { hex($0) + "\n" }.joined().utf8).write(to: input)

    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/python3")
    process.arguments = [program.path, input.path, output.path]
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(
        description: "the oracles did not run: install python3-h11 and python3-httptools for /usr/bin/python3"
      )
    }
    let lines = try String(contentsOf: output, encoding: .utf8).split(separator: "\n")
    guard lines.count == requests.count else {
      throw Failure(description: "\(requests.count) requests, but \(lines.count) answers")
    }
    return try lines.map { line in
      guard let pair = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [Any], pair.count == 2
      else {
        throw Failure(description: "no answer: \(line)")
      }
      let h11 = try answer(pair[0])
      let keepsAlive = (pair[0] as? [Any])?.last as? Bool
      return Answers(h11: h11.map { ($0, keepsAlive ?? false) }, httptools: try answer(pair[1]))
    }
  }

  private static func answer(_ json: Any) throws -> Answer? {
    if json is NSNull { return nil }
    guard let parts = json as? [Any], parts.count >= 3, let method = parts[0] as? String,
      let target = parts[1] as? String, let fieldCount = parts[2] as? Int
    else { throw Failure(description: "no answer: \(json)") }
    return Answer(method: method, target: unhex(target), fieldCount: fieldCount)
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }

  private static func unhex(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }
}
