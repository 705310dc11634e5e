import Archive
import Glibc
package import System
import Zip

/// The backups in a directory that were made one after the other: `NAME-2026-11-28T031502Z.zip`;
/// `NAME-2026-11-28T031502Z-incomplete.zip` for those from which something is missing, and `…-unverified.zip` for those
/// that could not be checked to their end.
///
/// Nothing else in the directory is looked at, and nothing else is ever removed.
package struct BackupSeries {
  /// What is to be done.
  package struct Plan {
    /// The newest first, each with the rules that keep it; none for one that all clocks place in the future.
    package let kept: [(name: BytePath, rules: [Retention.Rule])]
    /// To be removed, the newest first.
    package let removed: [BytePath]
    /// Of each of them: why each tier does not keep it.
    package let reasons: [BytePath: [Retention.Rule: Retention.Outdone]]
    /// What keeps anything from being removed.
    package let loss: Retention.Loss?
  }

  /// Those that say nothing of themselves, sorted, each with the reason: they are left alone and count for nothing.
  package private(set) var unjudged: [(name: BytePath, detail: String)] = []

  private let directory: Directory
  private var backups: [Retention.Backup] = []

  /// A directory of more names is no series of backups.
  package static let maximumNames = 100_000

  /// The names in a directory of backups.
  ///
  /// - Throws: `EOVERFLOW` if there are more than `limit`: the last backup may be among those that were not read.
  package static func names(
    in directory: BytePath, limit: Int = maximumNames
  ) throws(SystemError) -> [BytePath] {
    let names = try FileSystem.names(in: directory, limit: limit + 1)
    guard names.count <= limit else {
      throw SystemError(call: "readdir of more than \(limit) names", errno: EOVERFLOW)
    }
    return names
  }

  /// Reads the manifest of every backup of the series. The data of the other entries is not read.
  ///
  /// - Parameters:
  ///   - path: the directory.
  ///   - name: what their names begin with.
  /// - Throws: `SystemError` when the directory cannot be read.
  package init(in path: String, name: String) throws {
    directory = try Directory(path: path)
    let names = try Self.names(in: directory.path)
      .filter { $0.string != nil && Self.isName($0, of: name) }
      .sorted()
    for name in names {
      // Gone meanwhile, or a link or a directory: none of ours.
      guard let status = try directory.status(name), status.kind == .regular else { continue }
      do { backups.append(try read(name)) } catch {
        unjudged.append((name, "\(error)"))
      }
    }
  }

  /// What a retention keeps and removes of the series. Nothing is changed.
  package func plan(_ retention: Retention) -> Plan {
    let now = Timestamp.now()
    let choice = retention.choose(backups, now: now)
    return Plan(
      kept: choice.kept, removed: choice.removed, reasons: choice.reasons,
      loss: retention.loss(in: backups, now: now))
  }

  /// Marks the archives from the future, so that they take no other's place once their time has come: the inode of each is
  /// changed now, before the time of its content.
  private func markFuture() {
    let limit = Timestamp.now().wholeSeconds + Timestamp.drift
    for backup in backups where min(backup.modified, backup.created).wholeSeconds > limit {
      // On a file system that refuses, or for another user's file, it is an ordinary archive later.
      try? directory.openFile(backup.name, writing: false).touchInode()
    }
  }

  /// Removes the archives that the plan removes, the oldest first, unless there is a loss.
  ///
  /// - Parameter done: gets each name, once it is gone.
  /// - Throws: `SystemError`, when one cannot be removed; the rest stays.
  package func carryOut(_ plan: Plan, done: (BytePath) -> Void) throws {
    guard plan.loss == nil else { return }
    markFuture()
    for name in plan.removed.reversed() {
      try directory.remove(name)
      done(name)
    }
    if !plan.removed.isEmpty { try directory.sync() }
  }

  /// Whether a name is one of the series: byte by byte, so that `other-backup-…` is none of `backup`'s.
  static func isName(_ text: BytePath, of name: String) -> Bool {
    let prefix = BytePath("\(name)-")
    guard text.hasPrefix(prefix) else { return false }
    let rest = text.bytes.dropFirst(prefix.bytes.count)
    let digit = UInt8(ascii: "0")...UInt8(ascii: "9")
    let isDated = rest.prefix(datePattern.utf8.count).elementsEqual(datePattern.utf8) { byte, pattern in
      pattern == UInt8(ascii: "0") ? digit.contains(byte) : byte == pattern
    }
    let end = BytePath(Array(rest.dropFirst(datePattern.utf8.count)))
    return isDated && [".zip", "-incomplete.zip", unverifiedEnd].contains(end)
  }

  private static let datePattern = "0000-00-00T000000Z"
  /// Of an archive that may be whole, and is not known to be.
  private static let unverifiedEnd: BytePath = "-unverified.zip"

  /// Why an archive says nothing of itself.
  private struct Unjudged: Error, CustomStringConvertible {
    let description: String
  }

  private func read(_ name: BytePath) throws -> Retention.Backup {
    let file = try directory.openFile(name, writing: false)
    let status = try file.status()
    let contents = try ArchiveContents(consume file)
    let comparison: ManifestComparison
    switch contents.manifest {
    case .absent: throw Unjudged(description: "it has no MANIFEST.json")
    case .unreadable: throw Unjudged(description: "its MANIFEST.json is none that this version can read")
    case .readable(let found): comparison = found
    }
    let manifest = comparison.manifest
    guard let created = Timestamp(manifest.created) else {
      throw Unjudged(description: "its MANIFEST.json is none that this version can read")
    }
    for member in contents.members {
      let path = BytePath(member.name)
      if let difference = contents.difference(path, size: member.size) {
        throw Unjudged(description: "\(path): \(difference)")
      }
    }
    if let difference = contents.differences(paths: Set(contents.members.map { BytePath($0.name) })).first {
      throw Unjudged(description: "\(difference)")
    }
    return Retention.Backup(
      name: name, created: created, modified: Timestamp(status.modifiedAt),
      isComplete: manifest.complete && !name.hasSuffix(Self.unverifiedEnd),
      isMisdated: status.modifiedAt.seconds > status.changedAt.seconds + Timestamp.drift,
      inventory: ArchiveInventory(manifest))
  }
}
