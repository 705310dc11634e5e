/// Makes good requests a little worse, the same way each time for one seed.
struct RequestMutator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  /// SplitMix64: https://prng.di.unimi.it/splitmix64.c
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  private static let requestLines = [
    "GET / HTTP/1.1", "HEAD /healthz HTTP/1.1", "GET /api/backup HTTP/1.1", "HEAD /%7Ea?b=%20+c HTTP/1.0",
    "GET /api/backup?db=a.db&strict=1 HTTP/1.1", "GET /a%20b HTTP/1.0",
    "GET http://example.com/a HTTP/1.1", "POST /a HTTP/1.1", "GET //a/../b HTTP/1.1", "OPTIONS * HTTP/1.1",
    "GET /a#b HTTP/1.1", "GET / HTTP/1.2", "HEAD http://[::1]:80?a=/?b HTTP/1.1",
  ]

  private static let fieldLines = [
    "Host: example.com", "Host: [::1]:80", "Host: a:8080", "Accept: */*", "User-Agent: curl/7.88.1", "X:",
    "X-Y: \t a \t",
    "Connection: close", "Connection: keep-alive", "Connection: Upgrade", "Upgrade: websocket",
    "Expect: 100-continue",
    "Content-Length: 0", "Content-Length: 5", "Transfer-Encoding: chunked", "Cookie: a=b; c=\"d\"",
    "Proxy-Connection: close",
    "Authorization: Bearer a.b-c", "Connection: a,close , b", "TE: trailers", "Range: bytes=0-",
    "Keep-Alive: timeout=5",
  ]

  /// Pieces that parsers disagree about.
  private static let pieces = [
    "\r", "\n", "\r\n", "\n\n", "\r\n\r\n", "\t", " ", "  ", "\u{0}", "\u{7F}", "\u{B}", "\u{C}", "\u{85}",
    "\u{A0}",
    "\u{C3}\u{A9}", ":", ";", ",", "%", "%00", "%2f", "#", "?", "@", "[", "]", "\\", "\"", "'", "|", "/",
    "HTTP/1.1", "http/1.1",
    "\r\nHost: b", "\r\n Host: b", "\nContent-Length: 1", "\r\nTransfer-Encoding : chunked", "0", "-", "+",
    "*", "(", "{",
  ]

  /// One request: some lines that fit, and up to two faults in them.
  mutating func request() -> [UInt8] {
    var lines = [pick(Self.requestLines)]
    if Int.random(in: 0..<8, using: &self) > 0 { lines.append(pick(Array(Self.fieldLines.prefix(3)))) }
    for _ in 0..<Int.random(in: 0..<4, using: &self) { lines.append(pick(Self.fieldLines)) }
    if Int.random(in: 0..<4, using: &self) == 0 { lines[1...].shuffle(using: &self) }
    var bytes = RequestVector.octets(lines.map { $0 + "\r\n" }.joined() + "\r\n")
    for _ in 0..<Int.random(in: 0...2, using: &self) { mutate(&bytes) }
    return bytes
  }

  private mutating func mutate(_ bytes: inout [UInt8]) {
    guard !bytes.isEmpty else { return }
    let index = Int.random(in: bytes.indices, using: &self)
    let end = min(bytes.count, index + Int.random(in: 1...6, using: &self))
    switch Int.random(in: 0..<7, using: &self) {
    case 0: bytes[index] = UInt8.random(in: 0...255, using: &self)
    case 1: bytes[index] = UInt8.random(in: 0x20...0x7E, using: &self)
    case 2: bytes.insert(contentsOf: RequestVector.octets(pick(Self.pieces)), at: index)
    case 3: bytes.replaceSubrange(index..<end, with: RequestVector.octets(pick(Self.pieces)))
    case 4: bytes.removeSubrange(index..<end)
    case 5: bytes.insert(contentsOf: bytes[index..<end], at: index)
    default: bytes[index] ^= 0x20
    }
  }

  private mutating func pick(_ choices: [String]) -> String {
    choices[Int.random(in: choices.indices, using: &self)]
  }
}
