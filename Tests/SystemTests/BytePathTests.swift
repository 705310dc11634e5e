import Testing

@testable import System

struct BytePathTests {
  /// `café`, composed and decomposed: two files.
  private static let composed = BytePath("caf\u{e9}")
  private static let decomposed = BytePath("cafe\u{301}")

  @Test func `is equal by bytes, not by how it looks`() {
    #expect("caf\u{e9}" == "cafe\u{301}")
    #expect(Self.composed != Self.decomposed)
    #expect(Set([Self.composed, Self.decomposed]).count == 2)
  }

  @Test func `keeps what is not UTF-8`() {
    let path = BytePath([0x61, 0xff, 0x2f, 0xfe])
    #expect(path.components == [BytePath([0x61, 0xff]), BytePath([0xfe])])
    #expect(path.string == nil)
    #expect(path.lossyString == "a\u{fffd}/\u{fffd}")
    #expect(path.cString == [0x61, -1, 0x2f, -2, 0])
  }

  @Test(arguments: [
    ("a/b", ["a", "b"]), ("a//b", ["a", "", "b"]), ("/a", ["", "a"]), ("a/", ["a", ""]), ("", [""]),
    ("a/\u{301}b", ["a", "\u{301}b"]),
  ])
  func `is split at every slash and normalises nothing`(_ path: String, _ components: [String]) {
    #expect(BytePath(path).components == components.map { BytePath($0) })
  }

  @Test(arguments: [("a/b/c", "c", "a/b"), ("a/", "", "a"), ("/a", "a", ""), ("a/\u{301}", "\u{301}", "a")])
  func `has a name and a parent`(_ path: String, _ name: String, _ parent: String) {
    #expect(BytePath(path).name == BytePath(name))
    #expect(BytePath(path).parent == BytePath(parent))
  }

  @Test func `has no parent without a slash`() {
    #expect(BytePath("a").parent == nil)
    #expect(BytePath("a").name == "a")
    #expect(Array(BytePath("a/b/c").ancestors) == ["a/b", "a"])
    #expect(Array(BytePath("a").ancestors).isEmpty)
  }

  @Test(arguments: [
    ("a/b", "a", true), ("a", "a", true), ("ab", "a", false), ("a/\u{301}b", "a", true), ("a", "a/b", false),
  ])
  func `lies in a folder by whole components`(_ path: String, _ folder: String, _ lies: Bool) {
    #expect(BytePath(path).lies(in: BytePath(folder)) == lies)
  }

  @Test(arguments: [
    ("a/b", true), ("a", true), ("a/..b", true), ("a/../b", false), ("./a", false), ("a//b", false),
    ("/a", false), ("a/", false), ("", false), ("a\0b", false),
  ])
  func `tells a path that stays below its folder`(_ path: String, _ isPlain: Bool) {
    #expect(BytePath(path).isRelativeAndPlain == isPlain)
  }

  @Test func `appends and removes`() {
    #expect(BytePath("a").appending("b") == "a/b")
    #expect(BytePath("").appending("b") == "b")
    #expect(BytePath("a.db") + "-wal" == "a.db-wal")
    #expect(BytePath("a.db-wal").removing(suffix: "-wal") == "a.db")
    #expect(BytePath("a.db").removing(suffix: "-wal") == nil)
  }

  @Test func `sorts by bytes`() {
    #expect([BytePath("b"), BytePath([0xff]), BytePath("B")].sorted() == ["B", "b", BytePath([0xff])])
  }

  @Test func `shows what would change a line as a question mark`() {
    #expect("\(BytePath("a\nb\u{202e}c"))" == "a?b?c")
  }
}
