import Foundation
import Testing

@testable import Service

/// What the page takes from its request.
struct StatusPageTests {
  private func user(_ fields: String...) throws -> String? {
    StatusPage.user(of: try request(["GET /"] + fields))
  }

  @Test func `the user is the one of Basic`() throws {
    #expect(try user("Authorization: Basic \(Data("ada:secret".utf8).base64EncodedString())") == "ada")
    #expect(try user("Authorization: basic \(Data("a@b.c:".utf8).base64EncodedString())") == "a@b.c")
    #expect(try user("Authorization: Bearer 0123456789abcdef") == nil)
    #expect(try user("Authorization: Basic !") == nil)
    #expect(try user() == nil)
  }

  @Test(arguments: ["ada lovelace", "$(reboot)", "'", "", String(repeating: "a", count: 101)])
  func `a name that a shell would not take as it is has a word in its place`(_ name: String) throws {
    #expect(try user("Authorization: Basic \(Data("\(name):x".utf8).base64EncodedString())") == "USER")
  }

  @Test(
    arguments: [
      ("main.db", "main.db.zip"), ("plans/inner.sqlite", "inner.sqlite.zip"), ("it's.db", "database.zip"),
      ("$(reboot)", "database.zip"), ("a b/Ä.db", "database.zip"), ("a b/c.db", "c.db.zip"),
    ])
  func `an archive of one database has its name, if a shell takes it as it is`(_ path: String, _ name: String)
  {
    #expect(StatusPage.archiveName(path) == name)
  }
}
