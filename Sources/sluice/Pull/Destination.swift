import Pull
import System

/// Where an archive goes: a command of the user's, or an engine that keeps, deduplicates and encrypts.
struct Destination {
  enum Kind: String {
    case command = "to"
    case restic
    case borg
    case rclone
  }

  let kind: Kind
  /// A repository, a directory of a remote, or the command itself.
  let place: String

  var option: String { "--\(kind.rawValue)" }

  /// Those that its program gets.
  var variables: ProgramVariables {
    kind == .command ? .command : ProgramVariables(of: kind.rawValue, at: place)
  }

  /// As `BackupStore` reads it; nil for a command, of which only its author knows where it keeps what.
  var source: String? { kind == .command ? nil : "\(kind.rawValue):\(place)" }

  /// Whether old backups are removed there.
  var removesOld: Bool { kind == .restic || kind == .borg }

  /// For messages: without a password.
  var shown: String {
    let place = kind == .command ? place : PlaceName.withoutPassword(place)
    return printable("\(option) \(quoted(place))")
  }

  /// A text in which an engine may repeat its place.
  func withoutPassword(_ text: String) -> String {
    kind == .command ? text : text.replacing(place, with: PlaceName.withoutPassword(place))
  }

  private func quoted(_ text: String) -> String { text.contains(" ") ? "'\(text)'" : text }

  /// Of what an engine says, the line that tells what is wrong.
  func fault(in lines: [String]) -> String? { BackupStore.fault(of: kind.rawValue, in: lines) }

  /// What gets the archive on its standard input.
  func command(_ archive: ArchiveName) -> [String] {
    switch kind {
    case .command: ["/bin/sh", "-c", place]
    case .restic: resticBackup(archive)
    case .borg: borgCreate(archive)
    case .rclone: rcloneWrite(archive)
    }
  }

  /// Removes what keeps the engine from beginning. What is wrong beside that, it says itself.
  func prepare(_ engine: Engine) {
    if kind == .restic { try? resticUnlock(engine) }
  }

  /// Makes sure of what the engine has, once it ended with 0, and gives it the name of what it turned out to be.
  ///
  /// - Throws: a `Failure` that says what is not there.
  func confirm(_ archive: ArchiveName, _ worth: Worth, _ sent: SentBytes, _ engine: Engine) throws {
    switch kind {
    case .command: break
    case .restic: try resticMark(archive, worth, engine)
    case .borg: try borgName(archive, worth, engine)
    case .rclone: try rcloneConfirm(archive, worth, sent, engine)
    }
  }

  /// Removes what the engine has left of an archive that it did not get to its end.
  ///
  /// - Returns: what was removed; nil if nothing was there.
  func discard(_ archive: ArchiveName, _ engine: Engine) throws -> String? {
    switch kind {
    // restic keeps nothing before the end; its lock is removed before the next one.
    case .command, .restic: nil
    case .borg: try borgDiscard(archive, engine)
    case .rclone: try rcloneDiscard(archive, engine)
    }
  }

  /// Removes what earlier pulls have left that were killed.
  ///
  /// - Returns: what was removed; nil if nothing was there.
  func sweep(_ archive: ArchiveName, _ engine: Engine) throws -> String? {
    kind == .rclone ? try rcloneSweep(archive, engine) : nil
  }

  /// Removes old archives by the engine's own rules. To these, what is dated later than a new archive is newer, though a clock
  /// was wrong: they would remove the new one. As long as there is such an archive, nothing is removed.
  ///
  /// - Throws: a `Failure` that names it.
  func retain(
    _ counts: [(name: String, count: Int)], after archive: ArchiveName, _ engine: Engine
  ) throws {
    guard removesOld else { return }
    let kept = try list(archive.series, engine)
    if let later = kept.max(by: { $0.name.time < $1.name.time }),
      let time = Timestamp(inFileName: archive.time), later.name.time > time
    {
      throw Failure(
        description:
          "\(later.file) is dated later: a clock was wrong. If it is right now, remove that one or wait until then"
      )
    }
    switch kind {
    case .command, .rclone: break
    case .restic: try resticForget(counts, archive.series, engine)
    case .borg: try borgPrune(counts, archive.series, kept, engine)
    }
  }

  private func list(_ series: String, _ engine: Engine) throws -> [BackupStore.Backup] {
    guard let store = source.flatMap({ BackupStore($0) }), let program = store.program else { return [] }
    try engine.run([program] + store.listArguments, variables)
    let list = engine.work.beginning(of: "engine-output", atMost: BackupStore.maximumListSize)
    guard let backups = store.backups(in: list, of: series) else {
      throw Failure(description: "\(program): its list cannot be read")
    }
    return backups
  }
}

/// What an archive is called by the engines.
struct ArchiveName {
  let series: String
  /// In UTC: `2026-11-28T031502Z`.
  let time: String
  /// What it is expected to be when it is named.
  let worth: Worth

  /// As `BackupName` reads it.
  func file(_ worth: Worth) -> String {
    BackupName.file(series, time, word: worth == .whole ? nil : worth.word)
  }
  var file: String { file(worth) }
}
