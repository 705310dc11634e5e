package import Archive
import Crypto
import SQLiteSnapshot
import System
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
    package var only: [String]
    /// Whether what is there may be replaced.
    package var force: Bool
    /// How long SQLite may look at one database.
    package var checkTimeout: Duration

    /// Makes options of all of them.
    package init(archive: String, directory: String, only: [String], force: Bool, checkTimeout: Duration) {
      self.archive = archive
      self.directory = directory
      self.only = only
      self.force = force
      self.checkTimeout = checkTimeout
    }
  }

  /// The plan, a line for each file.
  package let lines: [String]
  /// What would have been chosen and is not in the archive.
  package let skipped: [Skipped]
  /// Uncompressed, in bytes.
  package let size: UInt64
  /// Databases of which something could not be judged, and what: they need what only their application has.
  package private(set) var notChecked: [(path: String, parts: [String])] = []

  private let options: Options
  private let target: RestoreTarget
  private let archive: ZipArchive
  private let file: ArchiveDescriptor
  private var plan: RestorePlan
  private let members: [[UInt8]: ZipMember]
  private let entries: [[UInt8]: Manifest.Entry]

  /// Finishes or undoes what a restore that was killed has left in a directory.
  ///
  /// - Parameter looksOnly: whether nothing is to be changed.
  /// - Returns: what there was, in words.
  package static func recover(_ directory: String, looksOnly: Bool) throws(RestoreError) -> [String] {
    let target = try RestoreTarget(path: directory)
    var found: [String] = []
    for name in try RestoreStaging.names(in: target) {
      let staging = try RestoreStaging(leftAs: name, in: target, looksOnly: looksOnly)
      let what =
        switch try staging.journal() {
        case nil: "had changed nothing: its files are removed"
        case (let journal, true)?: "was being undone: that is finished (\(journal.items.count) files)"
        case (let journal, false)?: "was putting \(journal.items.count) files in place: that is finished"
        }
      if !looksOnly { try staging.recover() }
      found.append("a restore that was killed (\(name)) \(what)")
    }
    return found
  }

  /// Opens the archive and makes the plan.
  package init(_ options: Options) throws(RestoreError) {
    self.options = options
    target = try RestoreTarget(path: options.directory)
    do {
      file = ArchiveDescriptor(try FileSystem.openArchive(options.archive))
    } catch {
      throw .notAnArchive(
        "\(options.archive) \(error.isDirectory ? "is a directory, and no archive" : "cannot be read: \(error)")"
      )
    }
    do { archive = try ZipArchive(file.descriptor.rawValue) } catch {
      if error.fault == .noArchive { throw .notAnArchive("\(options.archive) is no zip") }
      throw .damaged("\(error)")
    }
    var members: [[UInt8]: ZipMember] = [:]
    for member in archive.members { members[member.name.bytes] = member }
    self.members = members
    let text = try Self.content(members["MANIFEST.json".bytes], upTo: Manifest.maximumSize, of: archive)
    guard let manifest = text.flatMap(Manifest.init) else {
      throw .notAnArchive(
        "\(options.archive) has no MANIFEST.json of ours, without which nothing in it can be verified: unzip it into an "
          + "empty directory, and look at it there")
    }
    var entries: [[UInt8]: Manifest.Entry] = [:]
    for entry in manifest.entries { entries[entry.path.bytes] = entry }
    self.entries = entries
    for member in archive.members where member.name != "MANIFEST.json" {
      guard entries[member.name.bytes]?.size == member.size else {
        throw .damaged("\(printable(member.name)) is not what the manifest says")
      }
    }
    guard archive.members.count == entries.count + 1, manifest.entries.count == entries.count else {
      throw .damaged("the manifest lists files that the archive does not have")
    }
    let version = try Self.content(members["VERSION".bytes], upTo: Manifest.maximumVersionSize, of: archive)
    if let fault = manifest.faults(version: version).first { throw .damaged(fault) }
    // It is not among what is put in place, and so read nowhere else.
    if let version, let member = members["VERSION".bytes], let entry = entries["VERSION".bytes],
      let fault = entry.fault(
        size: member.size, sha256: SHA256.hash(data: version).hexadecimal, crc32: member.crc32)
    {
      throw .damaged("VERSION: \(fault)")
    }
    let all = archive.members.map(\.name)
    let chosen = try RestorePlan.selection(of: all, only: options.only)
    let databases = Set(manifest.entries.filter { $0.kind == .database }.map(\.path.bytes))
    let customary = Set(manifest.entries.map(\.path.bytes).filter(DatabaseNames.isCustomary))
    let now = FileSystem.now()
    var plan: RestorePlan
    var attempt: Int64 = 0
    repeat {
      plan = try RestorePlan(
        chosen, of: Set(all.map(\.bytes)), databases: databases, customary: customary, in: target,
        timestamp: Timestamp(nanoseconds: now + attempt * 1_000_000_000).compact)
      attempt += 1
    } while plan.isNameTaken && attempt < Self.maximumAttempts
    self.plan = plan
    size = chosen.reduce(0) { $0 + (members[$1.bytes]?.size ?? 0) }
    skipped =
      options.only.isEmpty
      ? manifest.skipped : manifest.skipped.filter { RestorePlan.matches($0.path, options.only) }
    let kept = Dictionary(plan.kept.map { ($0.path.bytes, $0.as) }) { first, _ in first }
    lines =
      plan.journal.newFolders.map { "new folder  \(printable($0))" }
      + plan.journal.items.flatMap { item in
        let name = printable(item.path)
        let first =
          kept[item.path.bytes].map { "replaces    \(name), kept as \(printable($0))" }
          ?? "new         \(name)"
        return [first]
          + item.companions.compactMap { suffix in
            kept[(item.path + suffix).bytes].map { "moves       \(name)\(suffix) to \(printable($0))" }
          }
      }
  }

  /// Another restore within the same second has given its kept files their names: then the next one that is free is taken.
  private static let maximumAttempts = 100

  /// How many files are put in place, and how many are kept under another name for them.
  package var counts: (placed: Int, kept: Int) { (plan.journal.items.count, plan.kept.count) }

  /// The absolute path of the directory, without links.
  package var directory: String { target.path }

  /// What is appended to the name of every file that is kept, and stands in that of no other.
  package var keptSuffix: String { plan.journal.suffix }

  /// - Returns: nil if there is no such entry, or none of such a size.
  private static func content(
    _ member: ZipMember?, upTo limit: Int, of archive: ZipArchive
  ) throws(RestoreError) -> [UInt8]? {
    guard let member, member.size <= limit else { return nil }
    var content: [UInt8] = []
    do { try archive.read(member) { content += $0 } } catch { throw .damaged("\(error)") }
    return content
  }

  /// Whether what would be replaced is in use, or in the middle of a transaction that has other databases, too.
  package func checkUse() throws(RestoreError) {
    _ = try DatabaseUse(of: plan.journal, in: target)
    try SuperJournal.check(plan.journal, in: target)
  }

  /// Reads everything that was chosen and keeps nothing.
  package func verify(_ isInterrupted: @escaping @Sendable () -> Bool) throws(RestoreError) {
    for item in plan.journal.items {
      try read(item.path, isInterrupted) { _ in }
    }
  }

  /// Does it.
  ///
  /// - Parameters:
  ///   - progress: is told how many bytes were staged.
  ///   - isInterrupted: whether to leave everything as it is; is asked until the first step.
  package mutating func run(progress: (UInt64) -> Void, _ isInterrupted: @escaping @Sendable () -> Bool)
    throws(RestoreError)
  {
    guard options.force || plan.kept.isEmpty else { throw .wouldReplace(plan.kept.map(\.path)) }
    try checkUse()
    let staging = try RestoreStaging(in: target)
    defer { staging.remove() }
    try staging.checkIsOnly()
    var done: UInt64 = 0
    var check = BoundedCheck(
      timeLimit: options.checkTimeout, isThorough: false, isInterrupted: isInterrupted)
    for (index, item) in plan.journal.items.enumerated() {
      try stage(item.path, index, in: staging, &check) {
        done += UInt64($0)
        progress(done)
      }
    }
    if isInterrupted() { throw .interrupted }
    let use = try DatabaseUse(of: plan.journal, in: target)
    try SuperJournal.check(plan.journal, in: target)
    do { try staging.write(plan.journal) } catch {
      throw .staging(path: staging.name, detail: "\(error)")
    }
    try RestoreTransaction(
      target: target, staging: staging.directory, stagingName: staging.name, journal: plan.journal
    ).commit { () throws(RestoreError) in try use.checkNobody() }
  }

  private mutating func stage(
    _ path: String, _ index: Int, in staging: RestoreStaging, _ check: inout BoundedCheck,
    _ progress: (Int) -> Void
  ) throws(RestoreError) {
    let old = plan.replaced[path.bytes]
    let permissions =
      old?.permissions ?? (members[path.bytes]?.permissions ?? 0o644) & target.status.permissions
    do {
      let file = try staging.directory.makeFile("\(index)")
      let raw = file.rawValue
      try read(path, check.isInterrupted) { piece in
        try Directory.write(piece, to: raw)
        progress(piece.count)
      }
      try Directory.own(file, as: old ?? target.status, permissions: permissions)
      Directory.setModified(file, members[path.bytes]?.modified ?? 0)
      try Directory.sync(file)
      plan.stage(index, inode: try Directory.status(of: file).identity.inode)
    } catch let error as RestoreError {
      throw error
    } catch {
      throw .staging(path: path, detail: "\(error)")
    }
    if entries[path.bytes]?.kind == .database, entries[path.bytes]?.size != 0 {
      try look(at: path, stagedAs: "\(target.path)/\(staging.name)/\(index)", &check)
    }
  }

  /// Lets SQLite look at a database that is staged.
  private mutating func look(
    at path: String, stagedAs file: String, _ check: inout BoundedCheck
  ) throws(RestoreError) {
    let findings: DatabaseFindings
    do { findings = try check.findings(of: .path(file)) } catch let error as RestoreError {
      throw error
    } catch {
      throw .staging(path: path, detail: "\(error)")
    }
    if let fault = findings.fault { throw .damaged("\(printable(path)): \(fault)") }
    if let reason = findings.unfinished { throw .checkUnfinished(path: path, detail: reason) }
    if !findings.unchecked.isEmpty { notChecked.append((path, findings.unchecked)) }
  }

  /// Inflates one member, and compares it with the manifest.
  private func read(
    _ path: String, _ isInterrupted: @escaping @Sendable () -> Bool, _ body: ([UInt8]) throws -> Void
  ) throws(RestoreError) {
    guard let member = members[path.bytes] else { throw .unknownPath(path) }
    var hash = SHA256()
    do {
      try archive.read(member) { piece in
        if isInterrupted() { throw RestoreError.interrupted }
        hash.update(data: piece)
        try body(piece)
      }
    } catch let error as RestoreError {
      throw error
    } catch let error as SystemError {
      throw .staging(path: path, detail: "\(error)")
    } catch {
      throw .damaged("\(error)")
    }
    // The manifest says nothing of itself.
    let fault = entries[path.bytes]?.fault(
      size: member.size, sha256: hash.finalize().hexadecimal, crc32: member.crc32)
    if let fault { throw .damaged("\(printable(path)): \(fault)") }
  }
}
