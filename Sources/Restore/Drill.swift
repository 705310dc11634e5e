package import SQLiteSnapshot
package import System

/// What a drill finds in one restored database.
package struct DrilledDatabase: Codable, Equatable, Sendable {
  /// In bytes.
  package var size: UInt64
  /// Rows by table.
  package var tables: [String: Int]

  package init(size: UInt64, tables: [String: Int]) {
    self.size = size
    self.tables = tables
  }

  /// In all tables.
  package var rows: Int { tables.values.reduce(0, +) }

  /// What is less than it was, a sentence each, sorted by the table's name.
  ///
  /// - Parameters:
  ///   - share: of rows or bytes; to lose more than this is a change.
  ///   - counting: what was counted now: a table that could not be is not gone.
  package func losses(since before: DrilledDatabase, share: Double, counting: TableRows) -> [String] {
    var found: [String] = []
    if !counting.hasReadSchema, !before.tables.isEmpty {
      found.append(
        "no table can be read, and it had \(counted(before.rows, "row")) in \(counted(before.tables.count, "table"))"
      )
    }
    for (table, rows) in before.tables.sorted(by: { $0.key < $1.key }) where counting.hasReadSchema {
      let count = tables[table]
      if count == nil {
        guard counting.hasAllTables, !counting.uncountedTables.contains(table) else { continue }
        found.append("table \(table) is gone and had \(counted(rows, "row"))")
      } else if let count, rows > 0, count == 0 || Self.isLess(count, than: rows, share) {
        found.append("table \(table) has \(counted(count, "row")) and had \(rows)")
      }
    }
    if Self.isLess(Int(clamping: size), than: Int(clamping: before.size), share) {
      found.append("it has \(size) bytes and had \(before.size)")
    }
    return found
  }

  private static func isLess(_ now: Int, than before: Int, _ share: Double) -> Bool {
    Double(before - now) > share * Double(before)
  }
}

/// What is remembered of drills, in a small file of JSON.
package struct DrillRecord: Codable, Equatable, Sendable {
  /// How the last drill ended.
  package enum Result: String, Codable, Sendable {
    case passed
    /// Sound, and less is in it than before, or something was skipped when it was made.
    case changed
    case failed
  }

  private var format = 1
  /// Of the last drill: when it ended, in RFC 3339, on which backup, and in words why it did not pass.
  package var time: String
  package var backup: String
  /// From where that was restored; nil in a record of a version that did not say so.
  package var place: String?
  package var result: Result
  package var detail: String
  /// Of the last drill that did not fail: the databases by their paths.
  package var databases: [String: DrilledDatabase]

  package init(
    time: String, backup: String, place: String?, result: Result, detail: String,
    databases: [String: DrilledDatabase]
  ) {
    self.time = time
    self.backup = backup
    self.place = place
    self.result = result
    self.detail = detail
    self.databases = databases
  }

  /// In bytes: of many databases with many tables.
  private static let maximumSize = 64 << 20

  /// What the file is called that is beside the backups of a series.
  package static func name(of series: String) -> String { ".\(series).drill.json" }

  /// Reads the file of an earlier drill.
  ///
  /// - Returns: nil if there is none.
  /// - Throws: `SmallFile.Failure`; `RecordFile.Unreadable`.
  package static func read(_ path: String) throws -> DrillRecord? {
    let record = try RecordFile.read(Self.self, path, atMost: maximumSize)
    guard record?.format ?? 1 == 1 else { throw RecordFile.Unreadable() }
    return record
  }

  /// Replaces the file: whatever happens, the old one or the new one is there.
  package func write(_ path: String) throws(SystemError) { try RecordFile.write(self, path) }
}

extension Restore {
  /// Counts the rows of a database that was restored and that no process uses, and runs checks.
  ///
  /// - Parameter limit: for all of it.
  /// - Returns: its size; nil if it did not end in time.
  /// - Throws: `SQLiteError`, `SystemError`; `RestoreError.interrupted`.
  package func count(
    _ database: BytePath, checks: [String], within limit: Duration
  ) throws -> (size: UInt64, rows: TableRows)? {
    let path = directory.appending(database)
    let size = try FileSystem.status(path).size
    let end = CheckLimit(limit)
    var giveUpAt: ContinuousClock.Instant?
    let counted = try AbandonableThread.run(named: "check") {
      if giveUpAt == nil, end.isReached || isInterrupted() {
        end.stop()
        giveUpAt = .now + .seconds(1)
      }
      return giveUpAt.map { ContinuousClock.now >= $0 } ?? false
    } _: {
      Swift.Result<TableRows, SQLiteError> { () throws(SQLiteError) in
        try TableRows(of: path, checks: checks, end)
      }
    }
    if isInterrupted() { throw RestoreError.interrupted }
    switch counted {
    case .success(let rows)?: return (size, rows)
    case .failure(let error)?:
      if end.isReached { return nil }
      throw error
    case nil: return nil
    }
  }
}
