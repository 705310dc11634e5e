extension Destination {
  private func restic(_ arguments: [String]) -> [String] {
    ["restic", "--repo", place, "--quiet"] + arguments
  }

  /// The host is the series, and the tag says what the archive is. restic keeps no snapshot before the end.
  func resticBackup(_ archive: ArchiveName) -> [String] {
    restic([
      "backup", "--stdin", "--stdin-filename", archive.file, "--host", archive.series,
      "--tag", "sluice,\(archive.worth.word)",
    ])
  }

  /// Whether something is missing is known from the beginning; whether a check did not end, only after the last byte:
  /// restic does not rename.
  func resticMark(_ archive: ArchiveName, _ worth: Worth, _ engine: Engine) throws {
    guard worth != archive.worth else { return }
    try engine.run(
      restic([
        "tag", "--host", archive.series, "--path", "/\(archive.file)", "--remove", archive.worth.word,
        "--add", worth.word,
      ]), variables)
  }

  /// The lock of a restic that was killed; not one of another that runs.
  func resticUnlock(_ engine: Engine) throws { try engine.run(restic(["unlock"]), variables) }

  /// Those of one worth are judged among themselves, so an incomplete one never takes a whole one's place.
  func resticForget(_ counts: [(name: String, count: Int)], _ series: String, _ engine: Engine) throws {
    let rules = counts.flatMap { ["--keep-\($0.name)", "\($0.count)"] }
    try engine.run(
      restic(["forget", "--host", series, "--tag", "sluice", "--group-by", "host,tags", "--prune"] + rules),
      variables)
  }
}
