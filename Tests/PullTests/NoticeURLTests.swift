import Pull
import Testing

@Suite struct NoticeURLTests {
  @Test(arguments: [
    ("https://hc.example/0a1b", "https://hc.example/0a1b/start", "https://hc.example/0a1b/fail"),
    ("https://hc.example/0a1b/", "https://hc.example/0a1b/start", "https://hc.example/0a1b/fail"),
    (
      "http://hc.example:8000/k/slug?create=1", "http://hc.example:8000/k/slug/start?create=1",
      "http://hc.example:8000/k/slug/fail?create=1"
    ),
  ])
  func `a ping of the start and of a failure has a path of its own`(url: String, start: String, fail: String)
    throws
  {
    let url = try #require(NoticeURL(url))
    #expect(url.pinging(.start) == start)
    #expect(url.pinging(.success) == url.text)
    #expect(url.pinging(.failure) == fail)
  }

  @Test(arguments: [
    ("https://hc.example/secret", "https://hc.example"),
    ("http://user:secret@[::1]:8000/secret?key=secret", "http://[::1]:8000"),
    ("https://secret@hc.example?key=a@b", "https://hc.example"),
    ("https://hc.example", "https://hc.example"),
  ])
  func `no more than the host is shown`(url: String, shown: String) throws {
    #expect(try #require(NoticeURL(url)).shown == shown)
  }

  @Test(arguments: [
    "", "ftp://h/", "http://", "http:///x", "https://h/a b", "https://h/#x", "https://?x",
    "https://h/" + String(repeating: "x", count: 1000),
  ])
  func `what is no URL of HTTP is refused`(text: String) {
    #expect(NoticeURL(text) == nil)
  }
}
