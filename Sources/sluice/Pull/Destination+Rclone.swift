import FoundationEssentials
import Pull

extension Destination {
  private func rclone(_ arguments: [String]) -> [String] { ["rclone", "--log-level", "ERROR"] + arguments }

  private func path(_ name: String) -> String { BackupStore.rclonePath(place, name) }

  private static let partialEnd = ".sluice-partial"

  private func partialName(_ archive: ArchiveName) -> String {
    "\(archive.series)-\(archive.time).zip\(Self.partialEnd)"
  }

  private func partial(_ archive: ArchiveName) -> String {
    path(partialName(archive))
  }

  /// rclone has no way to keep nothing before the end: so a name that no backup has.
  func rcloneWrite(_ archive: ArchiveName) -> [String] { rclone(["rcat", partial(archive)]) }

  /// What `rclone lsjson --stat` says of a file.
  private struct Listing: Decodable {
    var Size: Int64
    var Hashes: [String: String]?
  }

  /// Compares size and hash with what was sent, and gives it its name. Where the remote has no hash, it is read back.
  func rcloneConfirm(_ archive: ArchiveName, _ worth: Worth, _ sent: SentBytes, _ engine: Engine) throws {
    let file = partial(archive)
    let types = sent.hashes.keys.sorted().flatMap { ["--hash-type", $0] }
    let text = try engine.run(rclone(["lsjson", "--stat", "--hash"] + types + [file]), variables).joined(
      separator: "\n")
    guard let found = try? JSONDecoder().decode(Listing.self, from: Data(text.utf8)) else {
      throw Failure(description: "rclone lsjson: its answer is none that this version can read")
    }
    guard found.Size == Int64(sent.count) else {
      throw Failure(description: "the remote has \(found.Size) bytes of \(sent.count)")
    }
    let known = (found.Hashes ?? [:]).filter { !$0.value.isEmpty && sent.hashes[$0.key] != nil }
    if known.isEmpty {
      let read = try engine.run(rclone(["hashsum", "sha256", "--download", file]), variables).first?.prefix {
        $0 != " "
      }
      guard read.map(String.init) == sent.hashes["sha256"] else {
        throw Failure(description: "what the remote has, read back, is not what was sent")
      }
    } else if let wrong = known.first(where: { $0.value.lowercased() != sent.hashes[$0.key] }) {
      throw Failure(description: "the \(wrong.key) of what the remote has is not that of what was sent")
    }
    try engine.run(rclone(["moveto", file, path(archive.file(worth))]), variables)
  }

  /// In rclone's words: a younger one may be another pull's.
  private static let leftoverAge = "24h"

  /// Removes what pulls of the series have left that were killed more than a day ago.
  ///
  /// - Returns: their names; nil if there were none.
  func rcloneSweep(_ archive: ArchiveName, _ engine: Engine) throws -> String? {
    let pattern = "/\(archive.series)-????-??-??T??????Z.zip\(Self.partialEnd)"
    let left = try engine.run(
      rclone(["lsf", "--files-only", "--include", pattern, "--min-age", Self.leftoverAge, place]), variables)
    for name in left { try engine.run(rclone(["deletefile", path(name)]), variables) }
    return left.isEmpty ? nil : left.joined(separator: ", ")
  }

  func rcloneDiscard(_ archive: ArchiveName, _ engine: Engine) throws -> String? {
    let file = partial(archive)
    let name = partialName(archive)
    // A remote lists what is there; a directory that is not there has nothing.
    guard let names = try? engine.run(rclone(["lsf", "--files-only", place]), variables), names.contains(name)
    else {
      return nil
    }
    try engine.run(rclone(["deletefile", file]), variables)
    return name
  }
}
