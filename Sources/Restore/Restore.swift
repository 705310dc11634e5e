package import Archive
import SQLiteSnapshot
package import System
import Zip

/// One restore: an archive whose entries are put into a directory, all of them or none.
///
///     let target = try RestoreTarget(path:)            // what a killed restore has left is finished first
///     let plan = try RestorePlan(…)                    // nothing is changed
///     staged, synced, verified                         // in a directory of its own
///     try staging.write(journal)                       // from here on it goes on, whatever happens
///     try RestoreTransaction(…).commit()
package struct Restore {
  /// What a caller asks for.
  package struct Options: Sendable {
    /// The path of the archive, a file.
    package var archive: String
    /// The path of the directory to restore into.
    package var directory: String
    /// Files and folders of the archive; none for everything.
    package var only: [BytePath]
    /// Whether what is there may be replaced.
    package var force: Bool
    /// How long SQLite may check one database.
    package var checkTimeout: Duration

    /// Makes options of all of them.
    package init(archive: String, directory: String, only: [BytePath], force: Bool, checkTimeout: Duration) {
      self.archive = archive
      self.directory = directory
      self.only = only
      self.force = force
      self.checkTimeout = checkTimeout
    }
  }

  /// What would have been chosen and is not in the archive.
  package let skipped: [Skipped]
  /// Databases of which something could not be judged, and what: they need what only their application has.
  package private(set) var notChecked: [(path: BytePath, parts: [String])] = []

  private let options: Options
  private let target: RestoreTarget
  private let archive: RestorableArchive
  private var plan: RestorePlan
  let isInterrupted: @Sendable () -> Bool

  /// Finishes or undoes what a restore that was killed has left in a directory.
  ///
  /// - Parameter dryRun: whether nothing is to be changed.
  /// - Returns: what there was, in words.
  package static func recover(_ directory: String, dryRun: Bool) throws(RestoreError) -> [String] {
    let target = try RestoreTarget(path: directory)
    var found: [String] = []
    for name in try RestoreStaging.names(in: target) {
      let staging = try RestoreStaging(leftAs: name, in: target, dryRun: dryRun)
      let what =
        switch try staging.journal() {
        case nil: "had changed nothing: its files are removed"
        case (let journal, true)?:
          "was being undone: that is finished (\(counted(journal.items.count, "file")))"
        case (let journal, false)?:
          "was putting \(counted(journal.items.count, "file")) in place: that is finished"
        }
      if !dryRun { try staging.recover() }
      found.append("a restore that was killed (\(name)) \(what)")
    }
    return found
  }

  /// Opens the archive and makes the plan.
  ///
  /// - Parameter isInterrupted: whether to leave everything as it is; is asked until the first step.
  package init(
    _ options: Options, isInterrupted: @escaping @Sendable () -> Bool
  ) throws(RestoreError) {
    self.options = options
    self.isInterrupted = isInterrupted
    target = try RestoreTarget(path: options.directory)
    archive = try RestorableArchive(path: options.archive, isInterrupted: isInterrupted)
    plan = try RestorePlan(of: archive, only: options.only, in: target)
    let skipped = archive.manifest.skipped
    self.skipped =
      options.only.isEmpty ? skipped : skipped.filter { RestorePlan.matches(BytePath($0.path), options.only) }
  }

  /// The plan, a line for each file.
  package var lines: [String] { plan.lines }

  /// Of what is restored, uncompressed, in bytes.
  package var size: UInt64 {
    plan.journal.items.reduce(0) { $0 + (archive.members[$1.path]?.size ?? 0) }
  }

  /// The databases among what is restored, sorted; those without a byte are none.
  package var databases: [BytePath] {
    plan.journal.items.map(\.path).filter(isDatabase).sorted()
  }

  /// How many files are put in place, and how many are kept under another name for them.
  package var counts: (placed: Int, kept: Int) { (plan.journal.items.count, plan.kept.count) }

  /// The absolute path of the directory, without links.
  package var directory: BytePath { target.path }

  /// What is appended to the name of every file that is kept, and stands in that of no other.
  package var keptSuffix: BytePath { plan.journal.suffix }

  /// Throws if what would be replaced is in use, or in the middle of a transaction that has other databases, too.
  package func checkUse() throws(RestoreError) {
    _ = try DatabaseUse(of: plan.journal, in: target)
    try SuperJournal.check(plan.journal, in: target)
  }

  /// Reads everything that was chosen, lets SQLite check every database as `run` does, and keeps nothing.
  ///
  /// - Parameter spoolDirectory: where a database that memory has no room for lies while SQLite checks it.
  package mutating func verify(spoolDirectory: String) throws(RestoreError) {
    var check = BoundedCheck(
      timeLimit: options.checkTimeout, isThorough: false, isInterrupted: isInterrupted)
    for item in plan.journal.items {
      var sniffed = SniffedDatabase(in: spoolDirectory)
      let isDatabase = isDatabase(item.path)
      try archive.read(item.path) { if isDatabase { try sniffed.append($0) } }
      guard isDatabase else { continue }
      guard let database = sniffed.finished() else {
        throw .damaged("\(item.path): \(EntryDifference.noDatabase)")
      }
      let begun = try check.begin(database, of: item.path)
      try Self.judge(item.path, begun, &check).map { notChecked.append((item.path, $0)) }
    }
  }

  /// Whether an entry is a database; one without a byte is none.
  private func isDatabase(_ path: BytePath) -> Bool {
    archive.entries[path].map { $0.kind == .database && $0.size > 0 } ?? false
  }

  /// Does it.
  ///
  /// - Parameter progress: gets how many bytes were staged.
  package mutating func run(progress: (UInt64) -> Void) throws(RestoreError) {
    guard options.force || plan.kept.isEmpty else { throw .wouldReplace(plan.kept.map(\.path)) }
    try checkUse()
    let staging = try RestoreStaging(in: target)
    defer { staging.remove() }
    try staging.checkIsOnly()
    try stage(in: staging, progress)
    if isInterrupted() { throw .interrupted }
    let use = try DatabaseUse(of: plan.journal, in: target)
    try use.hold()
    try SuperJournal.check(plan.journal, in: target)
    do { try staging.write(plan.journal) } catch {
      throw .staging(path: staging.name, detail: "\(error)")
    }
    try RestoreTransaction(
      target: target, staging: staging.directory, stagingName: staging.name, journal: plan.journal
    ).commit { () throws(RestoreError) in try use.requireUnopened() }
  }

  /// Stages every file, and lets SQLite check every database that is staged. Each is synced and checked beside the staging of
  /// the next.
  private mutating func stage(
    in staging: RestoreStaging, _ progress: (UInt64) -> Void
  ) throws(RestoreError) {
    var done: UInt64 = 0
    var check = BoundedCheck(
      timeLimit: options.checkTimeout, isThorough: false, isInterrupted: isInterrupted)
    var last: StagedFile?
    for (index, item) in plan.journal.items.enumerated() {
      var syncing: StagedFile.Syncing?
      do throws(RestoreError) {
        let inode = try staging.stage(
          item.path, of: archive, as: index, replacing: plan.replaced[item.path]
        ) {
          done += UInt64($0)
          progress(done)
        } sync: { (file) throws(SystemError) in
          syncing = try StagedFile.sync(file)
        }
        plan.stage(index, inode: inode)
      } catch {
        // What is wrong with the one before comes first.
        try finish(last.take(), &check)
        throw error
      }
      try finish(last.take(), &check)
      let file = target.path.appending(staging.name).appending(RestoreJournal.stagedName(index))
      last = try StagedFile(item.path, syncing.take(), checking: isDatabase(item.path) ? file : nil, check)
    }
    try finish(last.take(), &check)
  }

  /// Waits until a file is checked and synced.
  private mutating func finish(
    _ file: consuming StagedFile?, _ check: inout BoundedCheck
  ) throws(RestoreError) {
    guard var file = file.take() else { return }
    let path = file.path
    if let begun = file.check.take() {
      try Self.judge(path, begun, &check).map { notChecked.append((path, $0)) }
    }
    try file.waitForSync()
  }

  /// - Returns: what could not be judged; nil if all was.
  private static func judge(
    _ path: BytePath, _ begun: consuming BoundedCheck.Begun, _ check: inout BoundedCheck
  ) throws(RestoreError) -> [String]? {
    let findings: DatabaseFindings
    do { findings = try check.findings(of: begun) } catch let error as RestoreError {
      throw error
    } catch {
      throw .staging(path: path, detail: "\(error)")
    }
    if let fault = findings.fault { throw .damaged("\(path): \(fault)") }
    if let reason = findings.unfinished { throw .checkUnfinished(path: path, detail: reason) }
    return findings.unchecked.isEmpty ? nil : findings.unchecked
  }
}
