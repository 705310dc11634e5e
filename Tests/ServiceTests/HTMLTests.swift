@testable import Service
import Testing

/// Markup, and that no text becomes it.
struct HTMLTests {
  @Test func `escapes what is interpolated, and leaves markup alone`() {
    let name = #"<b>"a"&'b'.db"#
    let number: HTML = "<em>\(3)</em>"
    let html: HTML = "<i title=\"\(name)\">\(number)</i>"
    #expect(
      html.text == #"<i title="&lt;b&gt;&quot;a&quot;&amp;&#39;b&#39;.db"><em>3</em></i>"#)
  }

  @Test func `shows what controls a text as a question mark`() {
    let html: HTML = "\("a\u{202e}b\nc\u{0}d")"
    #expect(html.text == "a?b?c?d")
  }
}

/// Quantities for people.
struct PageWordsTests {
  @Test(
    arguments: [
      (0, "0 B"), (999, "999 B"), (1000, "1.0 KiB"), (9_138_176, "8.7 MiB"), (120 << 20, "120 MiB"),
      (1 << 40, "1.0 TiB"), (UInt64.max, "16777216 TiB"),
    ] as [(UInt64, String)])
  func `has sizes of three digits`(_ size: UInt64, _ text: String) {
    #expect(PageWords.size(size) == text)
  }

  @Test func `has the bytes, too`() {
    #expect(PageWords.bytes(9_138_176) == "9\u{202f}138\u{202f}176\u{202f}B")
  }

  @Test(arguments: [
    (-5, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (172_800, "2 days"),
  ])
  func `has ages`(_ seconds: Int, _ text: String) {
    #expect(PageWords.age(seconds) == text)
  }

  @Test(arguments: [
    (12, "12 ms"), (3400, "3.4 s"), (125_000, "2 min 5 s"), (3_720_000, "1 h 2 min"),
  ])
  func `has durations`(_ milliseconds: Int, _ text: String) {
    #expect(PageWords.duration(milliseconds: milliseconds) == text)
  }

  @Test func `has times to the minute`() {
    #expect(PageWords.time(1_700_000_000) == "2023-11-14 22:13 UTC")
  }
}
