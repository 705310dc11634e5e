import Foundation
import Testing

@testable import System

struct QuotingTests {
  private static let words = [
    "", "plain", "two words", "it's", "'", "\"quoted\"", "back\\slash", "$HOME `id` $(id)", "%h 100%",
    "line\nbreak",
    // A combining mark makes one Character of the mark before it and itself.
    "'\u{301}; id '\u{301}", "\"\u{301}", "\\\u{301}", "%\u{301}", "日本語 🏠",
  ]

  /// What `printf` gets as its argument from a shell that reads a line.
  private func shell(_ line: String) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", "printf %s \(line)"]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test(arguments: words)
  func `a shell reads one word, byte for byte`(_ word: String) throws {
    #expect(Array(try shell(word.shellQuoted).utf8) == Array(word.utf8))
  }

  @Test(
    arguments: [
      ("", "\"\""), ("a b", "\"a b\""), ("\"", "\"\\\"\""), ("\\", "\"\\\\\""), ("%", "\"%\""),
      ("\"\u{301}", "\"\\\"\u{301}\""), ("\\\u{301}", "\"\\\\\u{301}\""),
    ])
  func `puts a backslash before quotation marks and backslashes`(_ text: String, _ quoted: String) {
    #expect(Array(text.quoted.utf8) == Array(quoted.utf8))
  }

  @Test(arguments: [("/srv/100%", "\"/srv/100%%\""), ("%\u{301}\"", "\"%%\u{301}\\\"\"")])
  func `doubles the percent sign for a unit`(_ text: String, _ quoted: String) {
    #expect(Array(text.unitQuoted.utf8) == Array(quoted.utf8))
  }

  @Test(
    arguments: [
      ("a b.zip", "00ff  a b.zip\n"), ("a\nb", "\\00ff  a\\nb\n"), ("a\\b", "\\00ff  a\\\\b\n"),
      ("a\r", "\\00ff  a\\r\n"),
      // To Swift, CR and LF are one Character.
      ("a\r\nb", "\\00ff  a\\r\\nb\n"),
    ])
  func `writes a digest's line as sha256sum does`(_ path: String, _ line: String) {
    #expect(checksumLine([0x00, 0xff], of: path) == line)
  }
}
