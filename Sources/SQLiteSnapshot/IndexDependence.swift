/// What an index's order or content depends on, beside its columns.
struct IndexDependence {
  let index: String
  let table: String
  /// One that SQLite does not have.
  let hasForeignCollation: Bool
  /// It is partial, on an expression or on a generated column.
  let hasExpression: Bool
  let isPartial: Bool
  /// NOCASE or RTRIM: an application may have one of its own of this name.
  let hasReplaceableOrder: Bool
  /// Its expressions call functions or compare by such a collation: an application may have others of these names, and another
  /// version of SQLite other results.
  let hasReplaceableContent: Bool
  /// Its tree has no entries: libSQL keeps those of a vector index in a table.
  let hasEntriesElsewhere: Bool

  /// The indexes of which that is anything. What has no rowid is its own primary key's index, and here by its name.
  static func all(
    of connection: borrowing DatabaseConnection
  ) throws(SQLiteError) -> [String: IndexDependence] {
    var indexes: [String: IndexDependence] = [:]
    try connection.forEach(
      """
      SELECT i.name, t.name, i.partial,
        EXISTS (SELECT 1 FROM pragma_index_xinfo(i.name) AS c
          WHERE c.key AND c.coll COLLATE NOCASE NOT IN ('BINARY', 'NOCASE', 'RTRIM')),
        EXISTS (SELECT 1 FROM pragma_index_xinfo(i.name) AS c
          WHERE c.key AND c.coll COLLATE NOCASE IN ('NOCASE', 'RTRIM')),
        EXISTS (SELECT 1 FROM pragma_index_xinfo(i.name) AS c WHERE c.cid = -2),
        EXISTS (SELECT 1 FROM pragma_index_xinfo(i.name) AS c, pragma_table_xinfo(t.name) AS g
          WHERE g.cid = c.cid AND g.hidden IN (2, 3)),
        i.origin, t.sql, (SELECT s.sql FROM sqlite_schema AS s WHERE s.type = 'index' AND s.name = i.name)
      FROM sqlite_schema AS t, pragma_index_list(t.name) AS i WHERE t.type = 'table'
      """
    ) { row in
      let isPartial = row[2] == "1"
      let isGenerated = row[6] == "1"
      let hasExpression = isPartial || row[5] == "1" || isGenerated
      let dependence = IndexDependence(
        index: row[0], table: row[1], hasForeignCollation: row[3] == "1", hasExpression: hasExpression,
        isPartial: isPartial, hasReplaceableOrder: row[4] == "1",
        hasReplaceableContent: isGenerated || hasExpression && isReplaceable(row[9], of: row[8]),
        hasEntriesElsewhere: hasExpression
          && SQLWords(row[9]).words.contains { SQLWords.folded($0.name ?? "") == "libsql_vector_idx" })
      guard dependence.hasForeignCollation || hasExpression || dependence.hasReplaceableOrder else {
        return true
      }
      indexes[row[0]] = dependence
      if row[7] == "pk" { indexes[row[1]] = dependence }
      return true
    }
    return indexes
  }

  /// Whether the expressions of an index may have other results elsewhere.
  private static func isReplaceable(_ index: String, of table: String) -> Bool {
    let words = SQLWords(index).words
    // A comparison in them is by the collation of a column.
    let hasCollation = (words + SQLWords(table).words).contains {
      ["nocase", "rtrim"].contains(SQLWords.folded($0.name ?? ""))
    }
    return hasCollation || SchemaStatement(index)?.callsFunction ?? true
  }

  /// Whether a message may be a stand-in's doing.
  static func mayExplain(_ message: String, _ indexes: [String: IndexDependence]) -> Bool {
    guard let (name, isOfCount) = subject(of: message), let index = indexes[name] else { return false }
    return isOfCount
      ? index.isPartial || index.hasEntriesElsewhere : index.hasForeignCollation || index.hasExpression
  }

  /// The index of which a message tells nothing, since the application's own functions and collations, or another version's
  /// functions, may have made it so.
  static func doubted(by message: String, _ indexes: [String: IndexDependence]) -> IndexDependence? {
    guard let (name, isOfCount) = subject(of: message), let index = indexes[name] else { return nil }
    let isDoubted =
      isOfCount
      ? index.isPartial && index.hasReplaceableContent
      : index.hasReplaceableOrder || index.hasReplaceableContent
    return isDoubted ? index : nil
  }

  /// The index that a message is of, by its name or that of its table, and whether its entries were counted, whatever their order is.
  private static func subject(of message: String) -> (name: String, isOfCount: Bool)? {
    if let name = IntegrityMessage.rest(of: message, after: "wrong # of entries in index ") {
      return (name, true)
    }
    let name =
      IntegrityMessage.rest(of: message, after: "row not in PRIMARY KEY order for ")
      ?? IntegrityMessage.rest(of: message, after: "non-unique entry in index ")
      ?? IntegrityMessage.rest(of: message, after: "row ", " missing from index ")
      // In later versions.
      ?? IntegrityMessage.rest(of: message, after: "row ", " values differ from index ")
      ?? IntegrityMessage.rest(of: message, after: "rowid not at end-of-record for row ", " of index ")
    return name.map { ($0, false) }
  }

  /// Why a message of it tells nothing, for people.
  var doubt: String {
    hasReplaceableContent
      ? "index \(index): its functions or collations may be the application's own, or another version's"
      : "index \(index): its collation NOCASE or RTRIM may be the application's own"
  }
}

extension IndexDependence {
  /// Whether an entry is of no row, or has a column that is not the row's, whatever the order of the entries is.
  ///
  /// - Returns: false also where that cannot be told.
  func isUnlikeItsTable(_ connection: borrowing DatabaseConnection) throws(SQLiteError) -> Bool {
    // SQLite does not go through a partial one.
    guard !isPartial else { return false }
    var columns: [String] = []
    var names: Set<String> = []
    var hasRowid = false
    try connection.forEach(
      """
      SELECT c.cid, c.name FROM pragma_index_xinfo(\(Self.text(index))) AS c WHERE c.cid = -1 OR c.cid IN (
        SELECT t.cid FROM pragma_table_xinfo(\(Self.text(table))) AS t WHERE t.hidden = 0)
      """
    ) { row in
      if row[0] == "-1" { hasRowid = true } else { columns.append(row[1]) }
      return true
    }
    try connection.forEach("SELECT name FROM pragma_table_xinfo(\(Self.text(table)))") { row in
      names.insert(SQLWords.folded(row[0]))
      return true
    }
    guard hasRowid, let rowid = ["rowid", "oid", "_rowid_"].first(where: { !names.contains($0) }) else {
      return false
    }
    let same =
      ["r.\(rowid) = e.\(rowid)"]
      + columns.map { "r.\(SQLWords.quoted($0)) IS e.\(SQLWords.quoted($0)) COLLATE BINARY" }
    let table = SQLWords.quoted(table)
    return try connection.number(
      """
      SELECT EXISTS (SELECT 1 FROM \(table) AS e INDEXED BY \(SQLWords.quoted(index)) WHERE NOT EXISTS (
        SELECT 1 FROM \(table) AS r NOT INDEXED
        WHERE \(same.joined(separator: " AND "))))
      """) != 0
  }

  private static func text(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }
}
