import Archive
import Glibc
import Pull
import Restore
import SQLiteSnapshot
import Service
import System

/// One drill: what is found of a backup, a line for each database.
struct DrillRun {
  let source: BackupSource
  let at: Timestamp?
  let checks: [String]
  /// To lose more than this part of a table is a change.
  let share: Double
  /// For each database.
  let timeLimit: Duration
  let before: DrillRecord?
  let isInterrupted: @Sendable () -> Bool

  /// What is less than before, or was skipped.
  private(set) var changes: [String] = []
  /// Checks that did not pass, and databases that could not be counted.
  private var failures: [String] = []
  private var backup = ""
  private var databases: [String: DrilledDatabase] = [:]

  init(
    source: BackupSource, at: Timestamp?, checks: [String], share: Double, timeLimit: Duration,
    before: DrillRecord?, isInterrupted: @escaping @Sendable () -> Bool
  ) {
    self.source = source
    self.at = at
    self.checks = checks
    self.share = share
    self.timeLimit = timeLimit
    self.before = before
    self.isInterrupted = isInterrupted
  }

  /// Restores the backup that `sluice restore --from` would take first, and no other: that it can be restored is the question.
  ///
  /// - Throws: a `Failure` that says what is wrong.
  mutating func run() throws {
    let choice = BackupChoice(try source.backups(), at: at, now: .now())
    for (backup, reason) in choice.passedOver {
      printError("sluice: \(backup.file) is passed over: \(reason)")
    }
    guard let chosen = choice.order.first else {
      throw Failure(description: "there is no backup named \(source.series)-… in \(source.shown)")
    }
    backup = chosen.file
    if chosen.name.time > .now() {
      changes.append("\(backup) is dated in the future: no other is there, or a clock was wrong")
    }
    do {
      let readable = try source.open(chosen)
      do { try look(into: readable.path) } catch let error as RestoreError {
        throw Failure(
          description: "\(backup): \(error.advised.replacing(readable.path, with: backup))")
      }
    } catch let error as BackupSource.EngineFailure {
      throw Failure(description: "\(backup): \(error)")
    }
    let word = changes.isEmpty ? "nothing lost" : "CHANGED, \(counted(changes.count, "loss", "losses"))"
    let compared =
      before.flatMap { $0.databases.isEmpty ? nil : $0 }.map { "compared with the drill of \($0.time)" }
      ?? "no drill before to compare with"
    put("\(backup): restored and sound, \(word); \(printable(compared))\n", STDOUT_FILENO)
  }

  private mutating func look(into archive: String) throws {
    let scratch: ScratchFolder
    do throws(SystemError) { scratch = try ScratchFolder(in: source.spoolDirectory) } catch {
      throw Failure(description: "--spool-directory \(source.spoolDirectory): \(error)")
    }
    var restore = try Restore(
      Restore.Options(
        archive: archive, directory: scratch.path.lossyString, only: [], force: false, checkTimeout: timeLimit
      ),
      isInterrupted: isInterrupted)
    try restore.run { _ in }
    for skipped in restore.skipped {
      changes.append("\(skipped.path) was skipped: \(skipped.detail)")
      put("\(printable("\(skipped.path): NOT IN THE BACKUP: \(skipped.detail)"))\n", STDOUT_FILENO)
    }
    var passed = Set<Int>()
    var unsuited: [Int: String] = [:]
    let found = restore.databases
    for path in found { try look(at: path, of: restore, &passed, &unsuited) }
    for (path, _) in (before?.databases ?? [:]).sorted(by: { $0.key < $1.key }) where databases[path] == nil {
      changes.append("\(path) is gone")
      put("\(printable(path)): CHANGED: it is gone\n", STDOUT_FILENO)
    }
    for (index, check) in checks.enumerated() where !passed.contains(index) {
      let reason = unsuited[index] ?? "the backup has no such database"
      failures.append("the check \(check) ran on no database: \(reason)")
    }
    guard failures.isEmpty else { throw Failure(description: "\(backup): \(listed(failures))") }
  }

  /// One database, and its line.
  private mutating func look(
    at path: BytePath, of restore: Restore, _ passed: inout Set<Int>, _ unsuited: inout [Int: String]
  ) throws {
    let suited = checks.enumerated().compactMap { index, check in
      Self.statement(of: check, on: path, among: restore.databases).map { (index, $0) }
    }
    let found: (size: UInt64, rows: TableRows)?
    do { found = try restore.count(path, checks: suited.map(\.1), within: timeLimit) } catch let error
      as SQLiteError
    {
      return fail(path, "\(error)")
    }
    guard let found else { return fail(path, "not counted within \(timeLimit): see --check-timeout") }
    for (result, (index, sql)) in zip(found.rows.results, suited) {
      switch result {
      case .passed: passed.insert(index)
      case .unsuited(let detail): unsuited[index] = detail
      case .failed(let reason):
        passed.insert(index)
        failures.append("\(path): the check \(sql) did not pass: \(reason)")
      }
    }
    let database = DrilledDatabase(size: found.size, tables: found.rows.counts)
    let old = before?.databases[path.lossyString]
    // What cannot be counted now is compared with what was counted before, once it can be again.
    var remembered = found.rows.hasReadSchema ? database : old ?? database
    for table in found.rows.uncountedTables { remembered.tables[table] = old?.tables[table] }
    databases[path.lossyString] = remembered
    var words = [
      "\(counted(found.size, "byte"))",
      "\(counted(database.rows, "row")) in \(counted(database.tables.count, "table"))",
    ]
    if let old { words.append("before: \(counted(old.size, "byte")), \(counted(old.rows, "row"))") }
    let unjudged = found.rows.uncounted + (restore.notChecked.first { $0.path == path }?.parts ?? [])
    if !unjudged.isEmpty { words.append("not judged: \(unjudged.prefix(5).joined(separator: "; "))") }
    let losses = old.map { database.losses(since: $0, share: share, counting: found.rows) } ?? []
    changes += losses.map { "\(path): \($0)" }
    let state = losses.isEmpty ? "ok" : "CHANGED: \(losses.prefix(5).joined(separator: "; "))"
    put("\(printable("\(path): \(state), \(words.joined(separator: ", "))"))\n", STDOUT_FILENO)
  }

  private mutating func fail(_ path: BytePath, _ reason: String) {
    failures.append("\(path): \(reason)")
    databases[path.lossyString] = before?.databases[path.lossyString]
    put("\(printable("\(path): NOT COUNTED: \(reason)"))\n", STDOUT_FILENO)
  }

  /// The statement of a check on a database; nil if the check is of another one.
  private static func statement(of check: String, on path: BytePath, among all: [BytePath]) -> String? {
    for each in all where check.utf8.starts(with: "\(each)=".utf8) {
      return each == path ? String(decoding: check.utf8.dropFirst("\(each)=".utf8.count), as: UTF8.self) : nil
    }
    return check
  }

  /// What is to be remembered.
  ///
  /// - Parameter failure: then the numbers of the last good drill stay.
  func record(_ failure: String?) -> DrillRecord {
    DrillRecord(
      time: Timestamp.now().seconds, backup: backup, place: source.shown,
      result: failure != nil ? .failed : changes.isEmpty ? .passed : .changed,
      detail: failure ?? changes.prefix(20).joined(separator: "; "),
      databases: failure != nil ? before?.databases ?? [:] : databases)
  }
}
