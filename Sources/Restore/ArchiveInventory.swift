package import Archive
package import System

/// Which databases an archive has, and what its manifest says was left out.
package struct ArchiveInventory: Codable, Equatable, Sendable {
  /// Those with a table. One of a single page has only the page of the schema.
  package let databases: Set<BytePath>
  private let leftOut: Set<BytePath>

  private enum CodingKeys: String, CodingKey {
    case databases
    case leftOut = "left_out"
  }

  /// More than any that is written, in bytes: each name is in a manifest, too.
  package static let maximumSize = Manifest.maximumSize

  /// - Parameter pages: how many each database has.
  init(pages: [BytePath: UInt32] = [:], leftOut: Set<BytePath> = []) {
    databases = Set(pages.filter { $0.value > 1 }.keys)
    self.leftOut = leftOut
  }

  init(_ manifest: Manifest) {
    let pages = manifest.entries.compactMap { entry in
      entry.database.map { (BytePath(entry.path), $0.pageCount) }
    }
    self.init(
      pages: Dictionary(pages) { first, _ in first },
      leftOut: Set((manifest.skipped.map(\.path) + (manifest.excluded ?? [])).map { BytePath($0) }))
  }

  /// Which databases of an earlier archive it has no longer, or without a table; sorted. What it names as left out, or a
  /// folder of which it does, is not gone.
  ///
  /// - Parameter gone: those that are meant to be.
  package func lacks(_ earlier: some Sequence<BytePath>, gone: Exclusion) -> [BytePath] {
    earlier.filter { path in
      !databases.contains(path) && !gone.matchesAnyPart(of: path)
        && !leftOut.contains(path) && !path.ancestors.contains(where: leftOut.contains)
    }.sorted()
  }
}
