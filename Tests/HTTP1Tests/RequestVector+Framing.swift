import HTTP1

extension RequestVector {
  static let framing: [RequestVector] = [
    .acceptField("RFC 9110 §8.6", "Content-Length: 0"),
    .acceptField("RFC 9110 §8.6: 1*DIGIT", "content-length: 000"),
    .refuseField(413, "RFC 9110 §15.5.14", "Content-Length: 1"),
    .refuseField(413, "RFC 9110 §15.5.14", "Content-Length: 010"),
    .refuseField(413, "RFC 9110 §15.5.14", "Content-Length: 99999999999999999999999999999999"),
    .refuseField(413, "RFC 9110 §15.5.14", "Content-Length: 18446744073709551616"),
    .refuseField(413, "RFC 9110 §15.5.14", "Content-Length: 5\r\nExpect: 100-continue"),
    .refuseField(400, "RFC 9110 §8.6", "Content-Length:"),
    .refuseField(400, "RFC 9110 §8.6", "Content-Length: +0"),
    .refuseField(400, "RFC 9110 §8.6", "Content-Length: -1"),
    .refuseField(400, "RFC 9110 §8.6", "Content-Length: 0x0"),
    .refuseField(400, "RFC 9110 §8.6", "Content-Length: 1e1"),
    .refuseField(400, "RFC 9110 §8.6", "Content-Length: 0.0"),
    .refuseField(400, "RFC 9110 §8.6", "Content-Length: 0 0"),
    .refuseField(400, "RFC 9110 §8.6", "Content-Length: \"0\""),
    .refuseField(400, "RFC 9110 §8.6", "Content-Length: 0;a"),
    .refuseField(400, "RFC 9110 §8.6", "Content-Length: \u{D9}\u{A0}"),
    .refuseField(400, "RFC 9112 §6.3: a list", "Content-Length: 0, 0"),
    .refuseField(400, "RFC 9112 §6.3: a list", "Content-Length: 5, 5"),
    .refuseField(400, "RFC 9112 §6.3: a list", "Content-Length: 0,"),
    .refuseField(400, "RFC 9112 §6.3: repeated", "Content-Length: 0\r\nContent-Length: 0"),
    .refuseField(400, "RFC 9112 §6.3: repeated", "Content-Length: 5\r\nContent-Length: 6"),
    .refuseField(400, "RFC 9112 §6.3: repeated", "Content-Length: 0\r\nCONTENT-LENGTH: 5"),
    .refuseField(501, "RFC 9112 §6.1", "Transfer-Encoding: chunked"),
    .refuseField(501, "RFC 9112 §6.1", "transfer-encoding: CHUNKED"),
    .refuseField(501, "RFC 9112 §6.1", "Transfer-Encoding: identity"),
    .refuseField(501, "RFC 9112 §6.1", "Transfer-Encoding: gzip, chunked"),
    .refuseField(501, "RFC 9112 §6.1", "Transfer-Encoding: chunked, identity"),
    .refuseField(501, "RFC 9112 §6.1", "Transfer-Encoding:"),
    .refuseField(501, "RFC 9112 §6.1", "Transfer-Encoding: xchunked"),
    .refuseField(501, "RFC 9112 §6.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    .refuseField(501, "RFC 9112 §6.3: both", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
    .refuseField(501, "RFC 9112 §6.3: both", "Content-Length: 0\r\nTransfer-Encoding: chunked"),
    .refuse(501, "RFC 9112 §6.1: in HTTP/1.0", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    .acceptField("RFC 9110 §10.1.1", "Expect: 100-continue"),
    .acceptField("RFC 9110 §10.1.1: case-insensitive", "Expect: 100-Continue"),
    .accept(
      "RFC 9110 §10.1.1: ignored in HTTP/1.0", "GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
      version: .http10,
      keepsAlive: false),
    .refuseField(417, "RFC 9110 §10.1.1", "Expect: 200-ok"),
    .refuseField(417, "RFC 9110 §10.1.1", "Expect:"),
    .refuseField(417, "RFC 9110 §10.1.1", "Expect: 100-continue, x"),
    .refuseField(417, "RFC 9110 §10.1.1", "Expect: 100-continue\r\nExpect: x"),
    .refuseField(417, "RFC 9110 §10.1.1", "Expect: 100-continue;q=1"),
  ]

  static let connection: [RequestVector] = [
    .acceptField("RFC 9112 §9.3", "Connection: close", keepsAlive: false),
    .acceptField("RFC 9110 §7.6.1: case-insensitive", "connection: CLOSE", keepsAlive: false),
    .acceptField("RFC 9110 §7.6.1: a list", "Connection: te , \tclose, x", keepsAlive: false),
    .acceptField("RFC 9110 §5.6.1.2: empty members", "Connection: , ,close", keepsAlive: false),
    .acceptField("RFC 9112 §9.3: close wins", "Connection: keep-alive, close", keepsAlive: false),
    .acceptField("RFC 9112 §9.3", "Connection: keep-alive"),
    .acceptField("RFC 9112 §9.3: no such option", "Connection: closed"),
    .acceptField("RFC 9112 §9.3: no such option", "Connection: xclose"),
    .acceptField("RFC 9112 §9.3", "Connection:"),
    .accept(
      "RFC 9110 §5.2: two lines are one list",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: te\r\nConnection: close\r\n\r\n", fieldCount: 3,
      keepsAlive: false),
    .accept(
      "RFC 9112 §9.3", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", version: .http10, keepsAlive: false),
    .accept(
      "RFC 9112 §9.3", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", version: .http10, keepsAlive: true),
    .accept(
      "RFC 9112 §9.3", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", version: .http10,
      keepsAlive: false),
    .accept(
      "RFC 9112 §9.3", "GET / HTTP/1.0\r\nConnection: close\r\n\r\n", version: .http10, keepsAlive: false),
    .accept(
      "RFC 9110 §7.8: the client may ask in vain",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", fieldCount: 3),
  ]
}
