/// The statement of a row of `sqlite_schema`, as far as it tells what it makes.
///
/// SQLite writes its beginning itself: `build.c`, `vtab.c`, `trigger.c`.
struct SchemaStatement {
  /// As in the row's first column.
  let type: String
  let name: String
  /// What an index or a trigger is of; for others their own name. Nil if that is not found.
  let table: String?
  /// Whether each column that it looks up stands where no other word can: in no expression.
  let hasNoExpression: Bool

  /// Whether an expression in an index's may call a function: the words for an operator that is one, and a name before a bracket.
  let callsFunction: Bool

  /// - Returns: nil if no SQLite so far writes such a statement.
  init?(_ sql: String) {
    var words = SQLWords(sql).words[...]
    guard words.popFirst()?.keyword == "create" else { return nil }
    var type = words.popFirst()?.keyword
    switch type {
    case "unique":
      type = words.popFirst()?.keyword
      guard type == "index" else { return nil }
    case "virtual":
      type = words.popFirst()?.keyword
      guard type == "table" else { return nil }
    default: break
    }
    // Turso leaves them in; a name may be the first of them.
    if words.prefix(3).map(\.keyword) == ["if", "not", "exists"] { words = words.dropFirst(3) }
    guard let type, ["table", "index", "view", "trigger"].contains(type),
      let name = words.popFirst()?.name, words.first != .mark(UInt8(ascii: "."))
    else { return nil }
    self.type = type
    self.name = name
    callsFunction = Self.hasCall(words)
    switch type {
    case "index":
      table = words.popFirst()?.keyword == "on" ? words.popFirst()?.name : nil
      hasNoExpression = Self.isList(words)
    case "trigger":
      // A column of this name has quotes.
      words = words.drop { $0.keyword != "on" }.dropFirst()
      let first = words.popFirst()?.name
      let hasDatabase = words.first == .mark(UInt8(ascii: "."))
      table = hasDatabase ? words.dropFirst().first?.name : first
      hasNoExpression = false
    default:
      table = name
      hasNoExpression = !words.contains { ["as", "check"].contains($0.keyword) }
    }
  }

  /// Whether words are a list in brackets of names, each with or without a collation and a direction.
  private static func isList(_ words: ArraySlice<SQLWords.Word>) -> Bool {
    guard words.first == .mark(UInt8(ascii: "(")), words.last == .mark(UInt8(ascii: ")")) else {
      return false
    }
    return words.dropFirst().dropLast().split(
      separator: .mark(UInt8(ascii: ",")), omittingEmptySubsequences: false
    ).allSatisfy { term in
      var term = term
      guard term.popFirst()?.name != nil else { return false }
      if term.first?.keyword == "collate" {
        guard term.dropFirst().first?.name != nil else { return false }
        term = term.dropFirst(2)
      }
      if ["asc", "desc"].contains(term.first?.keyword) { term = term.dropFirst() }
      return term.isEmpty
    }
  }

  /// https://www.sqlite.org/lang_expr.html §5: what LIKE, GLOB, MATCH and REGEXP do is a function's; and that of JSON's arrows.
  private static let operators = ["like", "glob", "match", "regexp"]
  /// Keywords that a bracket may follow.
  private static let notFunctions: Set = [
    "and", "as", "between", "by", "case", "cast", "collate", "else", "escape", "in", "is", "not", "null",
    "on", "or", "then",
    "when", "where",
  ]

  private static func hasCall(_ words: ArraySlice<SQLWords.Word>) -> Bool {
    // The table's name is before a bracket, too.
    let words = words.drop { $0 != .mark(UInt8(ascii: "(")) }
    return zip(words, words.dropFirst()).contains { word, next in
      if word == .mark(UInt8(ascii: "-")) { return next == .mark(UInt8(ascii: ">")) }
      if let keyword = word.keyword, operators.contains(keyword) { return true }
      guard next == .mark(UInt8(ascii: "(")), word.name != nil else { return false }
      return word.keyword.map { !notFunctions.contains($0) } ?? true
    }
  }
}
