/// What an index's order or content depends on, beside its columns.
struct IndexDependence {
  var hasForeignCollation: Bool
  /// It is partial, on an expression or on a generated column.
  var hasExpression: Bool
  var isPartial: Bool

  /// The indexes that a stand-in may decide about. What has no rowid is its own primary key's index, and here by its name.
  static func all(
    of connection: borrowing DatabaseConnection
  ) throws(SQLiteError) -> [String: IndexDependence] {
    var indexes: [String: IndexDependence] = [:]
    try connection.forEach(
      """
      SELECT i.name, t.name, i.partial,
        EXISTS (SELECT 1 FROM pragma_index_xinfo(i.name) AS c
          WHERE c.key AND c.coll COLLATE NOCASE NOT IN ('BINARY', 'NOCASE', 'RTRIM')),
        EXISTS (SELECT 1 FROM pragma_index_xinfo(i.name) AS c WHERE c.cid = -2 OR EXISTS (
          SELECT 1 FROM pragma_table_xinfo(t.name) AS g WHERE g.cid = c.cid AND g.hidden IN (2, 3)))
      FROM sqlite_schema AS t, pragma_index_list(t.name) AS i WHERE t.type = 'table'
      """
    ) { row in
      let dependence = IndexDependence(
        hasForeignCollation: row[3] == "1", hasExpression: row[2] == "1" || row[4] == "1",
        isPartial: row[2] == "1")
      guard dependence.hasForeignCollation || dependence.hasExpression else { return true }
      indexes[row[0]] = dependence
      if dependence.hasForeignCollation { indexes[row[1]] = dependence }
      return true
    }
    return indexes
  }

  /// Whether a message may be a stand-in's doing.
  static func mayExplain(_ message: String, _ indexes: [String: IndexDependence]) -> Bool {
    // Entries are counted whatever their order is.
    if let name = IntegrityMessage.rest(of: message, after: "wrong # of entries in index ") {
      return indexes[name]?.isPartial ?? false
    }
    guard
      let name = IntegrityMessage.rest(of: message, after: "row not in PRIMARY KEY order for ")
        ?? IntegrityMessage.rest(of: message, after: "non-unique entry in index ")
        ?? IntegrityMessage.rest(of: message, after: "row ", " missing from index ")
        // In later versions.
        ?? IntegrityMessage.rest(of: message, after: "row ", " values differ from index ")
        ?? IntegrityMessage.rest(of: message, after: "rowid not at end-of-record for row ", " of index ")
    else { return false }
    return indexes[name] != nil
  }
}
