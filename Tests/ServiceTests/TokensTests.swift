import Foundation
import HTTP1
import Service
import TestSupport
import Testing

/// The file of tokens, and which requests it opens the service to.
struct TokensTests {
  private static let first = "0123456789abcdef"
  private static let second = "fedcba9876543210!"
  private let folder: Folder

  init() throws { folder = try Folder() }

  private var path: String { folder.path + "/token" }

  private func tokens(_ content: String) throws -> Tokens {
    try folder.write("token", Array(content.utf8))
    return try Tokens(file: path)
  }

  private static func basic(_ text: String) -> String { "Basic \(Data(text.utf8).base64EncodedString())" }

  @Test(arguments: [
    "Bearer \(first)", "bearer \(second)", "Bearer  \(first)", basic("user:\(first)"), basic(":\(second)"),
  ])
  func `opens to each token, in either form`(_ credential: String) throws {
    let tokens = try tokens("\(Self.first)\n\n\(Self.second)\r\n")
    #expect(tokens.count == 2)
    let head = try request("GET /api/backup", "Authorization: \(credential)")
    #expect(throws: Never.self) { try tokens.check(head) }
  }

  @Test(arguments: [
    "Bearer 0123456789abcde", "Bearer \(first)0", "Bearer \(first) x", "Bearer", "Digest \(first)", first,
    basic(first), basic("user:\(first)0"), basic("\(first):"), "Basic \(first)", "Basic !",
  ])
  func `refuses any other`(_ credential: String) throws {
    let tokens = try tokens(Self.first)
    let head = try request("GET /api/backup", "Authorization: \(credential)")
    let error = try #require(throws: HTTPError.self) { try tokens.check(head) }
    #expect(error.status == .unauthorized)
    #expect(
      error.fields.map(\.value) == [
        #"Bearer realm="sluice", error="invalid_token""#, #"Basic realm="sluice", charset="UTF-8""#,
      ])
    #expect(!error.detail.contains(Self.first))
  }

  @Test(arguments: [[], ["Authorization: Bearer \(first)", "Authorization: Bearer \(first)"]])
  func `demands one credential`(_ fields: [String]) throws {
    let tokens = try tokens(Self.first)
    let head = try request(["GET /api/backup"] + fields)
    let error = try #require(throws: HTTPError.self) { try tokens.check(head) }
    #expect(error.status == .unauthorized)
    #expect(error.fields.first?.value == #"Bearer realm="sluice""#)
  }

  @Test(arguments: [
    ("", "1 to 16 tokens"), ("\n\r\n", "1 to 16 tokens"),
    (String(repeating: first + "\n", count: 17), "1 to 16 tokens"),
    ("0123456789", "shorter than 16"), (first + "\n0123456789", "shorter than 16"),
    ("with a space in it", "has a space"), ("0123456789abcdé", "has a space"),
    (String(repeating: "0", count: 16 << 10), "no file of a few lines"),
  ])
  func `refuses a file that is none`(_ content: String, _ words: String) throws {
    let error = try #require(throws: TokenError.self) { _ = try tokens(content) }
    #expect("\(error)".contains(words))
    #expect("\(error)".contains(path))
    #expect(content.count < 5 || !"\(error)".contains(content))
  }

  @Test func `says why a file cannot be read`() throws {
    let error = try #require(throws: TokenError.self) { _ = try TokenSource(file: path).read() }
    #expect("\(error)".contains("No such file"))
    #expect(throws: TokenError.self) { _ = try TokenSource(file: folder.path).read() }
  }

  @Test func `takes as many as it may`() throws {
    #expect(try tokens(String(repeating: Self.first + "\n", count: 16)).count == 16)
  }
}
