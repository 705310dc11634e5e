import CSQLite

/// Looks whether a database that no other process uses is whole. It may be hostile: it is read read-only, without locks,
/// WAL and journal, and nothing in its schema is trusted.
///
/// Damage is what its bytes show. What needs a collation, a function or a module of the database's own application, or SQL
/// that this SQLite does not understand, is not judged, and neither is what the application's rules demand of rows.
struct DatabaseCheck: ~Copyable {
  private let connection: Connection
  private let isThorough: Bool
  private let limit: CheckLimit
  private let standIns = StandIns()
  /// If not, SQLite knows of some trees only, and takes the pages of the others for unused.
  private var isSchemaWhole = true
  private var findings = DatabaseFindings()

  init(_ connection: consuming Connection, isThorough: Bool, _ limit: CheckLimit) {
    self.connection = connection
    self.isThorough = isThorough
    self.limit = limit
    self.connection.install(limit)
  }

  private var pragma: String { isThorough ? "integrity_check" : "quick_check" }

  /// Finds all that there is to be said.
  ///
  /// - Throws: what keeps the database from being read; `SQLITE_CORRUPT` and `SQLITE_NOTADB` are damage.
  consuming func run() throws(SQLiteError) -> DatabaseFindings {
    do {
      let answer = try connection.text("PRAGMA \(pragma)(1)")
      if answer == "ok" {
        try checkForeignKeys()
        return findings
      }
      guard Self.isRuleOfContent(answer) else {
        try Self.checkReading(answer)
        findings.fault = answer
        return findings
      }
      // It has looked at all pages by then, and at the rows up to this one.
    } catch {
      guard Self.isUnjudged(error) else { throw error }
      isSchemaWhole = !Self.isOfSchema(error)
      if !isSchemaWhole { findings.addUnchecked(error.message) }
      findings.fault = try DatabaseStructure.fault(of: connection.databaseFile(), limit)
      if findings.fault != nil { return findings }
    }
    try connection.install(standIns)
    if try !checkRows() { try checkRowsByTable() }
    if findings.fault == nil, !hasStandIns { try checkForeignKeys() }
    return findings
  }

  // MARK: rows and indexes

  /// The functions that SQLite missed.
  private var functions: [String] = []
  private static let maximumFunctions = 100

  /// Compares all rows with their indexes.
  ///
  /// - Returns: false if SQLite cannot do so for all tables at once.
  private mutating func checkRows() throws(SQLiteError) -> Bool {
    while true {
      do {
        // More than there are messages, since those of indexes that are not judged count, too.
        try judge("PRAGMA \(pragma)(\(Int32.max))", try dependentIndexes())
        tellStandIns()
        return true
      } catch {
        guard Self.isUnjudged(error) else { throw error }
        if let function = Self.unknownFunction(error), functions.count < Self.maximumFunctions {
          try connection.addStandIn(function: function)
          functions.append(function)
        } else {
          findings.addUnchecked(error.message)
          return false
        }
      }
    }
  }

  /// The same, a table at a time, for those of which SQLite understands what they are.
  private mutating func checkRowsByTable() throws(SQLiteError) {
    var tables: [String] = []
    try connection.forEach("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0") { row in
      tables.append(row[0])
      return true
    }
    let indexes: [String: Dependence]
    do { indexes = try dependentIndexes() } catch {
      guard Self.isUnjudged(error) else { throw error }
      findings.addUnchecked(error.message)
      return
    }
    for table in tables {
      let name = table.replacing("\"", with: "\"\"")
      // SQLite would take it for the number of messages.
      guard Int(table) == nil else {
        findings.addUnchecked("rows of table \(table)")
        continue
      }
      do {
        let count = try judge("PRAGMA \(pragma)(\"\(name)\")", indexes)
        if count >= Self.messagesPerTable { findings.addUnchecked("some rows of table \(table)") }
      } catch {
        guard Self.isUnjudged(error) else { throw error }
        let isUnknown = error.message.hasPrefix("no such table")
        findings.addUnchecked("rows of table \(table)" + (isUnknown ? "" : ": \(error.message)"))
      }
      if findings.fault != nil { return }
    }
    tellStandIns()
  }

  /// `PRAGMA integrity_check(TABLE)` ends after so many.
  private static let messagesPerTable = 100

  /// - Returns: how many messages there were.
  @discardableResult
  private mutating func judge(_ sql: String, _ indexes: [String: Dependence]) throws(SQLiteError) -> Int {
    var fault: String?
    var count = 0
    var rules: [String] = []
    try connection.forEach(sql) { row in
      let message = row[0]
      count += 1
      if message == "ok" || isUnjudged(message, indexes) { return true }
      // All that is wrong with pages comes in one message.
      if !isSchemaWhole, message.hasPrefix("*** in database ") { return true }
      guard Self.isRuleOfContent(message) else {
        fault = message
        return false
      }
      if rules.count <= DatabaseFindings.maximumParts { rules.append(message) }
      return true
    }
    if let fault { try Self.checkReading(fault) }
    findings.fault = fault
    // A stand-in may have made one of them up.
    if !hasStandIns { for rule in rules { findings.addRemark(rule) } }
    return count
  }

  private var hasStandIns: Bool { !standIns.collations.isEmpty || !functions.isEmpty }

  /// What an index's order or content depends on, beside its columns.
  private struct Dependence {
    var hasForeignCollation: Bool
    /// It is partial, on an expression or on a generated column.
    var hasExpression: Bool
    var isPartial: Bool
  }

  /// The indexes that a stand-in may decide about. What has no rowid is its own primary key's index, and here by its name.
  private func dependentIndexes() throws(SQLiteError) -> [String: Dependence] {
    var indexes: [String: Dependence] = [:]
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
      let dependence = Dependence(
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
  private func isUnjudged(_ message: String, _ indexes: [String: Dependence]) -> Bool {
    guard hasStandIns else { return false }
    // Entries are counted whatever their order is.
    if let name = Self.rest(of: message, after: "wrong # of entries in index ") {
      return indexes[name]?.isPartial ?? false
    }
    guard
      let name = Self.rest(of: message, after: "row not in PRIMARY KEY order for ")
        ?? Self.rest(of: message, after: "non-unique entry in index ")
        ?? Self.rest(of: message, after: "row ", " missing from index ")
        // In later versions.
        ?? Self.rest(of: message, after: "row ", " values differ from index ")
        ?? Self.rest(of: message, after: "rowid not at end-of-record for row ", " of index ")
    else { return false }
    return indexes[name] != nil
  }

  /// What follows words, or words, a number and more words.
  private static func rest(of message: String, after start: String, _ end: String = "") -> String? {
    guard begins(message, with: start) else { return nil }
    var rest = message.utf8.dropFirst(start.utf8.count)
    if !end.isEmpty {
      rest = rest.drop(while: "-0123456789".utf8.contains)
      guard rest.starts(with: end.utf8) else { return nil }
      rest = rest.dropFirst(end.utf8.count)
    }
    return String(decoding: rest, as: UTF8.self)
  }

  private mutating func tellStandIns() {
    for name in standIns.collations { findings.addUnchecked("what needs collation \(name)") }
    for name in functions { findings.addUnchecked("what needs function \(name)") }
  }

  // MARK: foreign keys

  /// A foreign key that leads nowhere is what the application wrote: SQLite enforces none unless it is asked to.
  private mutating func checkForeignKeys() throws(SQLiteError) {
    guard isThorough else { return }
    do {
      let table = try connection.text("PRAGMA foreign_key_check")
      if !table.isEmpty { findings.addRemark("a foreign key in table \(table) leads nowhere") }
    } catch {
      guard Self.isUnjudged(error) else { throw error }
      findings.addUnchecked("foreign keys: \(error.message)")
    }
  }

  // MARK: SQLite's words

  /// Whether an error says of the schema, and not of the bytes, that SQLite cannot go on.
  private static func isUnjudged(_ error: SQLiteError) -> Bool {
    switch error.code & 0xff {
    case SQLITE_ERROR, SQLITE_TOOBIG, SQLITE_NOMEM, SQLITE_AUTH, SQLITE_RANGE, SQLITE_SCHEMA: true
    default: isOfSchema(error)
    }
  }

  private static func isOfSchema(_ error: SQLiteError) -> Bool {
    begins(error.message, with: "malformed database schema")
  }

  /// `pragma.c`: what a table's definition demands of its rows, and an earlier definition, another version of SQLite or a
  /// check that was switched off did not.
  private static func isRuleOfContent(_ message: String) -> Bool {
    ["NULL value in ", "NUMERIC value in ", "TEXT value in ", "CHECK constraint failed in "].contains {
      begins(message, with: $0)
    }
      || begins(message, with: "non-")
        && message.utf8.dropFirst(4).drop { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }.starts(
          with: " value in ".utf8)
  }

  /// By bytes: a name that a combining mark begins makes another Character of the space before it.
  private static func begins(_ message: String, with words: String) -> Bool {
    message.utf8.starts(with: words.utf8)
  }

  /// `checkList` and `checkTreePage` of SQLite's `btree.c` report a page that cannot be read, for want of memory or by an error
  /// of the disk, as they report damage.
  ///
  /// - Throws: `SQLITE_IOERR` if a message reports nothing else.
  private static func checkReading(_ message: String) throws(SQLiteError) {
    let lines = message.split(separator: "\n").filter { !$0.hasPrefix("*** in database ") }
    let isUnread = lines.allSatisfy { line in
      line.contains("failed to get page ")
        || line.contains("unable to get the page. error code=") && !line.hasSuffix("=\(SQLITE_CORRUPT)")
    }
    guard isUnread, !lines.isEmpty else { return }
    throw SQLiteError(code: SQLITE_IOERR, message: "it could not be read to its end: \(lines[0])")
  }

  private static func unknownFunction(_ error: SQLiteError) -> String? {
    let words = "unknown function: "
    guard begins(error.message, with: words), error.message.utf8.suffix(2).elementsEqual("()".utf8) else {
      return nil
    }
    return String(decoding: error.message.utf8.dropFirst(words.utf8.count).dropLast(2), as: UTF8.self)
  }
}
