import System
import Testing

@testable import Systemd

struct EnvironmentFileTests {
  private func read(_ text: String) -> [String: String] { EnvironmentFile(Array(text.utf8)).variables }

  /// What systemd 252 gives a unit of the same lines, as `env` in the unit shows it.
  @Test(arguments: [
    ("A=1", "1"), ("A=", ""), ("  A = two words  ", "two words"), ("A=\t1 \t", "1"),
    ("A=a#b", "a#b"), ("A=1 # 2", "1 # 2"), ("A=\"a  b\"", "a  b"), ("A='a \"b\" \\c'", "a \"b\" \\c"),
    ("A=\"a\\\"b\\\\c\\$d\\`e\\fg\"", "a\"b\\c$d`e\\fg"), ("A=\"a\" \"b\"c", "abc"), ("A=a\"b\"c", "a\"b\"c"),
    ("A=a\\ b\\\\", "a b\\"), ("A=a \\\n  b", "a   b"), ("A=\"a\nb\"", "a\nb"), ("A=\"a\\\nb\"", "ab"),
    ("A=0\nA=1", "1"), ("A=1\r", "1"), ("A=$B ${C} %n", "$B ${C} %n"), ("A=b=c", "b=c"),
    ("# A=0\n; A=0\nno assignment\nA=1", "1"),
  ])
  func `reads a value as systemd does`(text: String, value: String) {
    #expect(read(text + "\n") == ["A": value])
    #expect(read(text) == ["A": value])
  }

  @Test func `reads several`() {
    #expect(
      read("# Settings\n\nURL=\"https://a.example/x?y=z\"\nKEEP=--last 3 --daily 7\n=none\n")
        == ["URL": "https://a.example/x?y=z", "KEEP": "--last 3 --daily 7"])
  }

  @Test func `reads a part that is not closed to the end of the file`() {
    #expect(read("A=\"1\nB=2\n") == ["A": "1\nB=2\n"])
  }

  /// `sluice setup --pull NAME --to COMMAND` writes words that the unit splits again.
  @Test func `any words come back out of a value that was quoted`() {
    let pieces = [
      "a", "-", "=", " ", "\t", "'", "\"", "\\", "$", "`", "#", ";", "%", "{", "\u{301}", "é", "🏠",
    ]
    for _ in 0..<2000 {
      let words = (0..<Int.random(in: 0...4)).map { _ in
        (0..<Int.random(in: 0...6)).map { _ in pieces.randomElement() ?? "" }.joined()
      }
      let found = Words(read("A=\(Words.text(words).environmentQuoted)\n")["A"] ?? "")
      #expect(found.all.map { Array($0.utf8) } == words.map { Array($0.utf8) })
      #expect(found.isClosed)
    }
  }
}
