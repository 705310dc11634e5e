import Pull

extension Destination {
  private func borg(_ command: String, _ arguments: [String]) -> [String] {
    ["borg", command] + BackupStore.borgLockWait + arguments
  }

  /// Chunks of a page each: the entries of a stored archive begin at multiples of 4,096 bytes. Without checkpoints, borg keeps
  /// nothing before the end.
  func borgCreate(_ archive: ArchiveName) -> [String] {
    borg(
      "create",
      [
        "--chunker-params", "fixed,4096", "--checkpoint-interval", "0", "--stdin-name", archive.file,
        "\(place)::\(archive.file)", "-",
      ])
  }

  func borgName(_ archive: ArchiveName, _ worth: Worth, _ engine: Engine) throws {
    guard worth != archive.worth else { return }
    try engine.run(borg("rename", ["\(place)::\(archive.file)", archive.file(worth)]), variables)
  }

  /// A `.checkpoint` is left where an administrator's configuration makes some all the same. An archive that has the name itself is
  /// whole, and another pull's of the same second: borg makes none before the end of its input.
  func borgDiscard(_ archive: ArchiveName, _ engine: Engine) throws -> String? {
    // A repository that cannot be listed was named already.
    let list = borg(
      "list",
      ["--short", "--consider-checkpoints", "--glob-archives", "\(archive.file).checkpoint*", place])
    guard let left = try? engine.run(list, variables) else { return nil }
    for name in left { try engine.run(borg("delete", ["\(place)::\(name)"]), variables) }
    return left.isEmpty ? nil : left.joined(separator: ", ")
  }

  /// - Parameter kept: all archives of the series. Of what is worth something else there is none: borg is not asked for it.
  func borgPrune(
    _ counts: [(name: String, count: Int)], _ series: String, _ kept: [BackupStore.Backup], _ engine: Engine
  ) throws {
    let rules = counts.flatMap { ["--keep-\($0.name)", "\($0.count)"] }
    for worth in Worth.allCases where kept.contains(where: { ($0.word ?? Worth.whole.word) == worth.word }) {
      let pattern = "\(series)-????-??-??T??????Z\(worth.suffix).zip"
      try engine.run(borg("prune", ["--glob-archives", pattern] + rules + [place]), variables)
    }
    try engine.run(borg("compact", [place]), variables)
  }
}
