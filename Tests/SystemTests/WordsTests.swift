import Testing

@testable import System

struct WordsTests {
  // What systemd 252 makes of them, by `extract_first_word` with EXTRACT_RELAX and EXTRACT_UNQUOTE.
  @Test(
    arguments: [
      ("", []), (" \t\n\r", []), ("a  b\tc", ["a", "b", "c"]), ("'a b' \"c d\"", ["a b", "c d"]),
      ("--to='a \"b\"'", ["--to=a \"b\""]), ("a'b 'c", ["ab c"]), ("''", [""]), ("a \"\" b", ["a", "", "b"]),
      ("a\\ b", ["a b"]), ("\\'a", ["'a"]), ("\"a\\\"b\\\\c\"", ["a\"b\\c"]), ("'it\\'s'", ["it's"]),
      ("a\\nb", ["anb"]), ("'\u{301}a b'", ["\u{301}a b"]), ("a#b ;c $d %e", ["a#b", ";c", "$d", "%e"]),
    ] as [(String, [String])])
  func `are between blanks or in quotation marks`(_ text: String, _ expected: [String]) {
    let words = Words(text)
    #expect(words.all == expected)
    #expect(words.isClosed)
  }

  @Test(arguments: [
    ("'a b", ["a b"]), ("a \"b", ["a", "b"]), ("a\\", ["a"]), ("\"", [""]), ("'a\\'", ["a'"]),
  ])
  func `end with a text that leaves one open`(_ text: String, _ expected: [String]) {
    let words = Words(text)
    #expect(words.all == expected)
    #expect(!words.isClosed)
  }

  @Test func `are in quotation marks only where they need them`() {
    #expect(Words.text(["--last", "14", "--to=a b", "it's", ""]) == "--last 14 \"--to=a b\" \"it's\" \"\"")
  }
}
