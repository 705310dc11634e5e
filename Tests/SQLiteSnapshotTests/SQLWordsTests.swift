import Testing

@testable import SQLiteSnapshot

/// How a statement is divided.
struct SQLWordsTests {
  @Test(arguments: ["/**/", "/***/", "/* c */", "/*/ c */", "/* c **/", "-- c\n", "/* -- */", "-- /*\n", " "])
  func `a comment is a blank`(comment: String) {
    let words = SQLWords("a\(comment)b \(comment)\"c\"").words
    #expect(words == [.bare("a"), .bare("b"), .quoted("c")])
  }

  @Test(arguments: ["/*", "/* c", "/*/", "--", "-- c"])
  func `a comment without an end ends with the statement`(comment: String) {
    #expect(SQLWords("a \(comment)").words == [.bare("a")])
  }
}
