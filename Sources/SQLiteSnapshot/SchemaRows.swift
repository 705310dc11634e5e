/// The rows of a `sqlite_schema` that SQLite does not understand: whether they contradict each other or themselves.
///
/// SQL of a later version, or what only the application has, explains an error of syntax, a limit, a rule that may be lifted.
/// It explains no row whose name is not the one in its statement, and no index of a table that is not there. A column twice is
/// explained: an earlier version takes each table constraint of a form that it does not know for a column.
struct SchemaRows {
  private struct Row {
    let type: String
    let name: String
    let table: String
    let sql: String
  }

  private var rows: [Row] = []

  /// Reads all of them.
  ///
  /// - Parameter connection: one that tolerates such a schema.
  init(of connection: borrowing DatabaseConnection) throws(SQLiteError) {
    var rows: [Row] = []
    try connection.forEach("SELECT type, name, tbl_name, sql FROM sqlite_schema") { row in
      rows.append(Row(type: row[0], name: row[1], table: row[2], sql: row[3]))
      return true
    }
    self.rows = rows
  }

  /// The first fault; nil if there is none.
  ///
  /// - Parameter message: what SQLite says of the first row that it does not understand.
  func fault(_ message: String) -> String? {
    if rows.contains(where: { Self.isDamage(message, of: $0) }) { return message }
    let tables = Set(rows.filter { ["table", "view"].contains($0.type) }.map { SQLWords.folded($0.name) })
    for row in rows {
      if let statement = SchemaStatement(row.sql) {
        guard statement.type == row.type, Self.isSame(statement.name, row.name) else {
          return
            "\(row.type) \(row.name) has the statement of \(statement.type) \(statement.name) in the schema"
        }
        if let table = statement.table, !Self.isSame(table, row.table) {
          return "\(row.type) \(row.name) is of \(row.table) in the schema, and of \(table) in its statement"
        }
      }
      guard tables.contains(SQLWords.folded(row.table)) else {
        return "\(row.type) \(row.name) is of table \(row.table), which the schema does not have"
      }
    }
    return nil
  }

  private static func isSame(_ first: String, _ second: String) -> Bool {
    SQLWords.folded(first) == SQLWords.folded(second)
  }

  /// Whether a message of `corruptSchema`, in SQLite's `prepare.c`, is of a row, and no version of SQLite takes what it tells of.
  private static func isDamage(_ message: String, of row: Row) -> Bool {
    guard let reason = IntegrityMessage.rest(of: message, after: "malformed database schema (\(row.name))")
    else { return false }
    // It gives none for a row that is not what its statement makes, or has no root page: NULL is no 0.
    if ["", " - orphan index", " - invalid rootpage"].contains(reason) { return true }
    // SQLite reads the rows in their order, and found no error in the table's.
    if IntegrityMessage.begins(reason, with: " - no such table: main.")
      || IntegrityMessage.begins(reason, with: " - unknown column ") || reason.hasSuffix(" already exists")
    {
      return true
    }
    // An expression may have a word of a later version, as TRUE was before 3.23. What stands for a column alone is none.
    return IntegrityMessage.begins(reason, with: " - no such column: ")
      && SchemaStatement(row.sql)?.hasNoExpression == true
  }
}
