import FoundationEssentials
import System

/// Where backups are kept: a directory, or a store that another program keeps. Its versions are those of Debian 12: restic
/// 0.14, borg 1.2.4, rclone 1.60. Passwords and keys are the program's own, from its usual variables and files.
///
/// In each, a backup has its `BackupName`: as the file that restic read from standard input, as borg's archive, as a file of
/// rclone's remote.
package enum BackupStore: Equatable, Sendable {
  case directory(String)
  /// `restic -r`
  case restic(String)
  /// A repository of borg.
  case borg(String)
  /// A folder of rclone's: `REMOTE:PATH`
  case rclone(String)

  /// One backup in it.
  package struct Backup: Equatable, Sendable {
    /// As `BackupName` reads it.
    package let file: String
    package let name: BackupName
    /// `incomplete` or `unverified`; nil if it is whole.
    package let word: String?
    /// In bytes, if the store says so.
    package let size: UInt64?
    /// What the program calls it: the identifier of a snapshot, or the name.
    fileprivate let reference: String

    fileprivate init?(_ file: String, reference: String, size: UInt64? = nil, word: String? = nil) {
      guard let name = BackupName(file) else { return nil }
      self.word = word ?? name.word
      self.file = file
      self.name = name
      self.size = size
      self.reference = reference
    }
  }

  /// Reads `DIR`, `restic:REPO`, `borg:REPO` or `rclone:REMOTE:PATH`; nil if nothing is after the colon.
  package init?(_ text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, !text.isEmpty, !text.utf8.contains(0) else { return nil }
    let rest = parts.count == 2 ? String(parts[1]) : nil
    switch (first, rest) {
    case ("restic", let rest?), ("borg", let rest?), ("rclone", let rest?):
      // An option of the program, or nothing.
      guard !rest.isEmpty, !rest.hasPrefix("-") else { return nil }
      self = first == "restic" ? .restic(rest) : first == "borg" ? .borg(rest) : .rclone(rest)
    default: self = .directory(text)
    }
  }

  /// Nil for a directory.
  package var program: String? {
    switch self {
    case .directory: nil
    case .restic: "restic"
    case .borg: "borg"
    case .rclone: "rclone"
    }
  }

  /// That the program gets.
  package var variables: ProgramVariables {
    switch self {
    case .directory: .plain
    case .restic(let place), .borg(let place), .rclone(let place):
      ProgramVariables(of: program ?? "", at: place)
    }
  }

  /// In bytes: of what a program says of all backups, more is not read.
  package static let maximumListSize = 64 << 20

  /// With which the program writes a list of all backups, in JSON; none for a directory. No lock of restic's is made: a
  /// store may be read-only here.
  package var listArguments: [String] {
    switch self {
    case .directory: []
    case .restic(let repository): ["-r", repository, "snapshots", "--json", "--no-lock"]
    case .borg(let repository): ["list", "--json"] + Self.borgLockWait + [repository]
    case .rclone(let folder): ["lsjson", "--files-only", "--no-modtime", "--no-mimetype", folder]
    }
  }

  /// With which the program writes one backup to its standard output; none for a directory.
  package func readArguments(_ backup: Backup) -> [String] {
    switch self {
    case .directory: []
    case .restic(let repository):
      ["-r", repository, "dump", "--no-lock", backup.reference, "/\(backup.file)"]
    case .borg(let repository):
      ["extract", "--stdout"] + Self.borgLockWait + ["\(repository)::\(backup.reference)"]
    case .rclone(let folder): ["cat", Self.rclonePath(folder, backup.file)]
    }
  }

  /// In seconds, for another borg in the same repository: less than a service waits for a client that reads nothing.
  package static let borgLockWait = ["--lock-wait", "50"]

  /// What rclone calls a file of a folder.
  package static func rclonePath(_ folder: String, _ name: String) -> String {
    folder.hasSuffix(":") || folder.hasSuffix("/") ? "\(folder)\(name)" : "\(folder)/\(name)"
  }

  /// Of what a program says when it fails, the line that tells why, and what follows it of the same message: the S3 library in
  /// rclone has `caused by:` and an indented line for a status.
  package static func fault(of program: String, in lines: [String]) -> String? {
    // restic tells of each attempt before.
    if program == "restic" { return lines.first { $0.hasPrefix("Fatal:") } ?? lines.first }
    // Behind a traceback of borg's stands where it ran.
    var lines = lines[...]
    if program == "borg", let place = lines.firstIndex(where: { $0.hasPrefix("Platform: ") }) {
      lines = lines[..<place]
      while lines.last?.isEmpty == true { lines.removeLast() }
    }
    let start = lines.lastIndex { !$0.hasPrefix("\t") && !$0.hasPrefix("caused by:") }
    let message = lines[(start ?? lines.startIndex)...].map {
      $0.hasPrefix("\t") ? String($0.dropFirst()) : $0
    }
    return message.isEmpty ? nil : message.joined(separator: "; ")
  }

  // MARK: the lists

  private struct Snapshot: Decodable {
    let id: String
    let paths: [String]
    let tags: [String]?

    /// What `sluice pull` found out after the last byte: restic does not rename.
    var word: String? { tags?.first(where: BackupName.words.contains) }
  }

  private struct Archives: Decodable {
    struct Archive: Decodable { let name: String }
    let archives: [Archive]
  }

  private struct File: Decodable {
    let path: String
    let size: Int64
    enum CodingKeys: String, CodingKey {
      case path = "Path"
      case size = "Size"
    }
  }

  /// The backups of a series in a list that the program has written, in its order; nil if that is none. Whatever else the
  /// store has is left out.
  package func backups(in list: [UInt8], of series: String) -> [Backup]? {
    let data = Data(list)
    let all: [Backup?]
    do {
      switch self {
      case .directory: return nil
      case .restic:
        // A snapshot of more than one path is none of ours.
        all =
          try JSONDecoder().decode([Snapshot]?.self, from: data)?.map { snapshot in
            guard snapshot.paths.count == 1, snapshot.paths[0].hasPrefix("/") else { return nil }
            return Backup(
              String(snapshot.paths[0].dropFirst()), reference: snapshot.id, word: snapshot.word)
          } ?? []
      case .borg:
        all = try JSONDecoder().decode(Archives.self, from: data).archives.map {
          Backup($0.name, reference: $0.name)
        }
      case .rclone:
        all = try JSONDecoder().decode([File].self, from: data).map {
          Backup($0.path, reference: $0.path, size: UInt64(exactly: $0.size))
        }
      }
    } catch { return nil }
    return all.compactMap { $0 }.filter { $0.name.series == series }
  }

  /// The backups of a series among the files in a directory, each with its size in bytes.
  package static func backups(_ files: [(name: String, size: UInt64)], of series: String) -> [Backup] {
    files.compactMap { Backup($0.name, reference: $0.name, size: $0.size) }.filter {
      $0.name.series == series
    }
  }
}
