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
    guard let type, ["table", "index", "view", "trigger"].contains(type),
      let name = words.popFirst()?.name, words.first != .mark(UInt8(ascii: "."))
    else { return nil }
    self.type = type
    self.name = name
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
}
