import CSQLite

/// Looks whether a database that no other process uses is whole. It may be hostile: it is read read-only, without locks,
/// WAL and journal, and nothing in its schema is trusted.
///
/// Damage is what its bytes show. What needs a collation, a function or a module of the database's own application, or SQL
/// that this SQLite does not understand, is not judged, and neither is what the application's rules demand of rows.
struct DatabaseCheck: ~Copyable {
  private let connection: DatabaseConnection
  private let isThorough: Bool
  private let limit: CheckLimit
  private let standIns = StandIns()
  /// If not, SQLite knows of some trees only, and takes the pages of the others for unused.
  private var isSchemaWhole = true
  private var findings = DatabaseFindings()

  init(_ connection: consuming DatabaseConnection, isThorough: Bool, _ limit: CheckLimit) {
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
    var unread: String?
    do {
      let answer = try connection.text("PRAGMA \(pragma)(1)")
      if answer == "ok" {
        try checkForeignKeys()
        return findings
      }
      if !IntegrityMessage.isRuleOfContent(answer) {
        try IntegrityMessage.checkReading(answer)
        guard try isDoubtful(answer) else {
          findings.fault = answer
          return findings
        }
      }
      // It has looked at all pages by then, and at the rows up to this one.
    } catch {
      guard error.isUnjudged else { throw error }
      isSchemaWhole = !error.isOfSchema
      if !isSchemaWhole {
        findings.addUnchecked(error.message)
        unread = error.message
      }
      findings.fault = try DatabaseStructure.fault(of: connection.databaseFile(), limit)
      if findings.fault != nil { return findings }
    }
    try connection.install(standIns)
    if let unread {
      findings.fault = try SchemaRows(of: connection).fault(unread)
      if findings.fault != nil { return findings }
    }
    if try !checkRows() { try checkRowsByTable() }
    if findings.fault == nil, !hasStandIns { try checkForeignKeys() }
    return findings
  }

  // MARK: rows and indexes

  /// Whether a message is of an index that may be as its application made it.
  private func isDoubtful(_ message: String) throws(SQLiteError) -> Bool {
    do { return IndexDependence.doubted(by: message, try IndexDependence.all(of: connection)) != nil } catch {
      guard error.isUnjudged else { throw error }
      return false
    }
  }

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
        try judge("PRAGMA \(pragma)(\(Int32.max))", try IndexDependence.all(of: connection))
        tellStandIns()
        return true
      } catch {
        guard error.isUnjudged else { throw error }
        if let function = error.unknownFunction, functions.count < Self.maximumFunctions {
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
    let indexes: [String: IndexDependence]
    do { indexes = try IndexDependence.all(of: connection) } catch {
      guard error.isUnjudged else { throw error }
      findings.addUnchecked(error.message)
      return
    }
    for table in tables {
      // SQLite would take it for the number of messages.
      guard Int(table) == nil else {
        findings.addUnchecked("rows of table \(table)")
        continue
      }
      do {
        let count = try judge("PRAGMA \(pragma)(\(SQLWords.quoted(table)))", indexes)
        if count >= Self.messagesPerTable { findings.addUnchecked("some rows of table \(table)") }
      } catch {
        guard error.isUnjudged else { throw error }
        let isUnknown = IntegrityMessage.begins(error.message, with: "no such table")
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
  private mutating func judge(_ sql: String, _ indexes: [String: IndexDependence]) throws(SQLiteError) -> Int
  {
    var fault: String?
    var count = 0
    var rules: [String] = []
    var doubted: [String: (index: IndexDependence, message: String)] = [:]
    try connection.forEach(sql) { row in
      let message = row[0]
      count += 1
      if message == "ok" || (hasStandIns && IndexDependence.mayExplain(message, indexes)) { return true }
      if let index = IndexDependence.doubted(by: message, indexes) {
        if doubted[index.index] == nil { doubted[index.index] = (index, message) }
        return true
      }
      // All that is wrong with pages comes in one message.
      if !isSchemaWhole, IntegrityMessage.isOfPages(message) { return true }
      guard IntegrityMessage.isRuleOfContent(message) else {
        fault = message
        return false
      }
      if rules.count <= DatabaseFindings.maximumParts { rules.append(message) }
      return true
    }
    if let fault { try IntegrityMessage.checkReading(fault) }
    if fault == nil {
      fault = try findFault(in: doubted.values.sorted { $0.index.index < $1.index.index })
    }
    findings.fault = fault
    // A stand-in may have made one of them up.
    if !hasStandIns { for rule in rules { findings.addRemark(rule) } }
    return count
  }

  /// Compares indexes with their tables where only the order is the application's.
  private mutating func findFault(
    in doubted: [(index: IndexDependence, message: String)]
  ) throws(SQLiteError) -> String? {
    for (index, message) in doubted {
      do { if try index.isUnlikeItsTable(connection) { return message } } catch {
        guard error.isUnjudged else { throw error }
      }
      findings.addUnchecked(index.doubt)
    }
    return nil
  }

  private var hasStandIns: Bool { !standIns.collations.isEmpty || !functions.isEmpty }

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
      guard error.isUnjudged else { throw error }
      findings.addUnchecked("foreign keys: \(error.message)")
    }
  }
}
